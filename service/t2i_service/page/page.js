"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  // A proxy may take a prefix off, and the page is found without a slash behind it, too.
  const base = location.origin + location.pathname.replace(/\/?$/, "/");
  let traceUrl = null;
  let shown = null;

  const headers = () => {
    const key = at("key").value.trim();
    return { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) };
  };

  const explain = (text) => {
    at("problem").textContent = text;
    at("problem").hidden = !text;
  };

  async function learn() {
    const info = await (await fetch(`${base}info`)).json();
    traceUrl = info.trace_url;
    at("key-field").hidden = info.authentication === "none";
    at("model").append(new Option(info.models.length > 1 ? "any" : info.models[0].name, ""));
    if (info.models.length > 1) info.models.forEach((model) => at("model").append(new Option(model.name)));
  }

  async function ask(path, body) {
    const answer = await fetch(base + path, { method: "POST", headers: headers(), body: JSON.stringify(body) });
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      const said = content.detail || content.title || `The service answered ${answer.status}.`;
      throw new Error(content.request_id ? `${said} (request ${content.request_id})` : said);
    }
    return content;
  }

  function show(result) {
    const [image] = result.images;
    at("picture").src = `data:${image.content_type};base64,${image.b64_json}`;
    at("picture").alt = at("prompt").value;
    at("sandbox").hidden = !result.sandbox;
    at("time").textContent = `${result.timings.total.toFixed(2)} s`;
    at("cost").textContent = result.cost ? `${result.cost.amount.toFixed(4)} ${result.cost.currency}` : "none";
    at("by").textContent = result.model;
    at("used-seed").textContent = result.seed;
    at("request-id").textContent = result.request_id;
    at("trace").replaceChildren(traced(result));
    for (const thumb of ["up", "down"]) at(thumb).setAttribute("aria-pressed", "false");
    at("thanks").textContent = "";
    at("result").hidden = false;
    shown = result;
  }

  function traced({ trace_id: traceId, trace_sampled: sampled }) {
    if (!traceId || !sampled) return document.createTextNode("not sampled");
    if (!traceUrl) return document.createTextNode(traceId);
    const link = document.createElement("a");
    link.href = `${traceUrl.replace(/\/+$/, "")}/trace/${traceId}`;
    link.textContent = traceId;
    link.rel = "noopener";
    link.target = "_blank";
    return link;
  }

  async function generate(event) {
    event.preventDefault();
    if (at("go").disabled) return;
    const seed = at("seed").value;
    const body = { prompt: at("prompt").value };
    if (seed !== "") body.seed = Number(seed);
    if (at("model").value) body.model = at("model").value;
    at("go").disabled = true;
    at("status").textContent = "Drawing…";
    explain("");
    try {
      show(await ask("generate", body));
      at("status").textContent = "Done.";
    } catch (error) {
      at("status").textContent = "";
      explain(error.message);
    } finally {
      at("go").disabled = false;
    }
  }

  async function rate(rating) {
    if (!shown) return;
    try {
      await ask("feedback", { generation_id: shown.id, rating });
      for (const thumb of ["up", "down"]) at(thumb).setAttribute("aria-pressed", String(thumb === rating));
      at("thanks").textContent = "Thank you.";
    } catch (error) {
      explain(error.message);
    }
  }

  at("form").addEventListener("submit", generate);
  at("prompt").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) at("form").requestSubmit();
  });
  at("up").addEventListener("click", () => rate("up"));
  at("down").addEventListener("click", () => rate("down"));
  learn().catch(() => explain("The service does not answer."));
})();
