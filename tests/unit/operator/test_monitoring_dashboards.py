"""Dashboards: made by the code that is committed beside them, and each resource's own."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from t2i_operator import naming, spec
from t2i_operator.builders.monitoring import dashboard
from t2i_operator.builders.monitoring.dashboard import _limits, dashboards, topics
from t2i_operator.builders.monitoring.links import RUNBOOKS
from t2i_operator.builders.monitoring.rules.rule import Topic

from dashboards.catalog import MANIFESTS, PACKAGE, place, rendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
GRAFANAS_OWN = {"__rate_interval", "__range"}


def content(resource: spec.TextToImageService, topic: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(dashboard.content(resource, topic))
    return body


def resource(name: str = "text-to-image", namespace: str = "images", **monitoring: Any) -> spec.TextToImageService:
    models = [{"name": "sdxl", "provider": "Sandbox"}]
    return spec.parse(
        {
            "metadata": {"name": name, "namespace": namespace, "uid": "1"},
            "spec": {"models": models, "monitoring": monitoring},
        }
    )


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_generated_json_is_what_the_code_gives(topic: str) -> None:
    assert place(topic).read_text() == rendered()[topic], "run python -m dashboards"


def test_nothing_is_generated_that_the_code_does_not_give() -> None:
    assert {path.stem for path in PACKAGE.glob("*.json")} == set(rendered()) - {"operator"}


def test_two_services_never_share_a_uid_or_a_file() -> None:
    built = [
        (resource(name, namespace), topic)
        for name, namespace in (("a", "x"), ("a", "y"), ("b", "x"), ("a-b", "x"), ("a", "b-x"))
        for topic in topics(resource())
    ]
    uids = [content(owner, topic)["uid"] for owner, topic in built]
    assert len(set(uids)) == len(built)
    assert all(len(uid) <= 40 for uid in uids)


def test_variables_point_at_the_resource() -> None:
    variables = {each["name"]: each for each in content(resource("a", "x"), "traces")["templating"]["list"]}
    current = {name: each["current"]["value"] for name, each in variables.items() if each.get("current")}
    assert current == {"namespace": "x", "service": "a-service", "jaeger": "a"}


def test_config_maps_are_as_grafana_s_sidecar_expects() -> None:
    built = {each["metadata"]["name"]: each for each in dashboards(resource("a", "x"))}
    overview = built["a-dashboard-overview"]
    assert set(built) == {f"a-dashboard-{topic}" for topic in ("overview", "models", "business", "traces")}
    assert overview["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert overview["metadata"]["annotations"]["grafana_folder"] == "Text to image"
    assert json.loads(overview["data"]["x-a-overview.json"])["uid"] == content(resource("a", "x"), "overview")["uid"]


def test_only_links_to_the_service_s_own_dashboards_carry_its_variables() -> None:
    """On another service's they would stand over its own, and show this one's data under that one's title."""
    tags = {}
    for name, namespace in (("a", "x"), ("b", "x"), ("a", "y")):
        shown = [content(resource(name, namespace), topic) for topic in topics(resource())]
        for body in shown:
            lists = [link for link in body["links"] if link["type"] == "dashboards"]
            (own,) = (link["tags"] for link in lists if link["includeVars"])
            (others,) = (link["tags"] for link in lists if not link["includeVars"])
            assert others == ["text-to-image"]
            assert {*own, *others} == {*body["tags"]}
        (tags[name, namespace],) = {tag for body in shown for tag in body["tags"]} - {"text-to-image"}
    assert tags["a", "x"] == "x/a"
    assert len({*tags.values()}) == len(tags)


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_a_number_of_now_looks_back_no_further_the_more_is_shown(topic: str) -> None:
    """Grafana's step, and with it its window of rates, is what is shown by the points it may have."""
    numbers = [panel for panel in json.loads(rendered()[topic])["panels"] if panel["type"] == "stat"]
    assert [panel["title"] for panel in numbers if panel.get("maxDataPoints") != 11_000] == []


def test_the_operator_s_dashboard_carries_no_variables() -> None:
    assert not any(link["includeVars"] for link in json.loads(rendered()["operator"])["links"])


def test_every_query_of_the_operator_s_dashboard_names_one_operator() -> None:
    """Operators of several classes share a Prometheus: one that leads must not stand in for one that does not."""
    panels = json.loads(rendered()["operator"])["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    for expr in asked:
        selectors = re.findall(r"\w+\{([^}]*)\}", expr)
        assert selectors
        for matchers in selectors:
            assert matchers.startswith('job="text-to-image-operator",namespace="$namespace"'), expr


def test_a_long_name_is_a_tag_that_grafana_takes() -> None:
    """Its database has room for 50 bytes; a longer one is an error, and there is no dashboard at all."""
    long, longer = "n" * 46, "s" * 63
    tags = [content(resource(long, longer[cut:]), "overview")["tags"][-1] for cut in range(2)]
    assert [len(tag.encode()) for tag in tags] == [50, 50]
    assert tags[0] != tags[1]


def test_labels_and_folder_are_the_user_s() -> None:
    asked = {
        "labels": {"dashboards": "yes"},
        "folder": "Pictures",
        "annotations": {"team": "images", "grafana_folder": "../.."},
    }
    metadata = dashboards(resource(dashboards=asked))[0]["metadata"]
    assert metadata["labels"]["dashboards"] == "yes"
    assert "grafana_dashboard" not in metadata["labels"]
    assert metadata["annotations"].items() >= {"grafana_folder": "Pictures", "team": "images"}.items()


def test_the_grafana_operator_gets_its_own_kind() -> None:
    selector = {"matchLabels": {"dashboards": "grafana"}}
    built = dashboards(resource(dashboards={"format": "GrafanaDashboard", "instanceSelector": selector}))[0]
    assert (built["apiVersion"], built["kind"]) == ("grafana.integreatly.org/v1beta1", "GrafanaDashboard")
    assert built["spec"]["allowCrossNamespaceImport"], "Grafana is in another namespace as a rule"
    assert built["spec"]["instanceSelector"] == selector
    assert json.loads(built["spec"]["json"])["uid"] == built["spec"]["uid"]


def rates(body: dict[str, Any]) -> list[dict[str, Any]]:
    targets = [target for panel in body["panels"] for target in panel.get("targets", ())]
    return [target for target in targets if "$__rate_interval" in target.get("expr", "")]


@pytest.mark.parametrize("topic", topics(resource()))
@pytest.mark.parametrize(
    ("interval", "step"), [("30s", "30s"), ("1m", "60s"), ("1m15s", "75s"), ("2500ms", "2500ms"), ("2000ms", "2s")]
)
def test_grafana_knows_how_often_is_scraped(topic: str, interval: str, step: str) -> None:
    """Or its windows hold four scrapes of the data source's default, 15s: one of a minute's, and a rate needs two."""
    asked = rates(content(resource(metrics={"interval": interval}), topic))
    assert asked
    assert {target.get("interval") for target in asked} == {step}


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_a_number_of_now_is_asked_of_now(topic: str) -> None:
    """The last value of a range may be hours old, and says so nowhere."""
    targets = [target for panel in numbers(topic) for target in panel["targets"]]
    assert all(target["instant"] and not target["range"] for target in targets)


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_nothing_is_neither_good_nor_bad(topic: str) -> None:
    """Grafana gives it the colour of the lowest values; and where no limit is set, its own, which is red from 80 on."""
    for panel in numbers(topic):
        shown = panel["fieldConfig"]["defaults"]
        (nothing,) = (each["options"] for each in shown["mappings"] if each["type"] == "special")
        assert nothing == {"match": "null+nan", "result": {"color": "text"}}, panel["title"]
        colours = [step["color"] for step in shown["thresholds"]["steps"]]
        assert sorted(colours) in (["text"], ["green", "red"]), panel["title"]


def test_no_percentile_is_of_nothing() -> None:
    """It would be NaN, which Grafana shows as a value."""
    panels = [panel for text in rendered().values() for panel in json.loads(text)["panels"]]
    asked = [target.get("expr", "") for panel in panels for target in panel.get("targets", ())]
    percentiles = [expr for expr in asked if "histogram_quantile" in expr]
    assert percentiles
    assert [expr for expr in percentiles if not re.fullmatch(r"\(histogram_quantile\(.*\) >= 0\)", expr)] == []


def test_what_can_be_below_zero_is_drawn_there() -> None:
    """An objective that is missed has less than nothing left of its budget."""
    panels = {panel["title"]: panel for panel in json.loads(rendered()["overview"])["panels"]}
    shown = panels["Error budget left"]["fieldConfig"]["defaults"]
    assert [step["value"] for step in shown["thresholds"]["steps"]] == [None, 0], "red is below zero"
    assert "min" not in shown
    assert panels["Burn rate"]["fieldConfig"]["defaults"]["min"] == 0


def numbers(topic: str) -> list[dict[str, Any]]:
    return [panel for panel in json.loads(rendered()[topic])["panels"] if panel["type"] == "stat"]


def test_grafana_knows_how_often_the_operator_is_scraped() -> None:
    (endpoint,) = yaml.safe_load((MANIFESTS / "service_monitor.yaml").read_text())["spec"]["endpoints"]
    asked = rates(json.loads(rendered()["operator"]))
    assert {target.get("interval") for target in asked} == {endpoint["interval"]}


def limits(topic: str, **alerts: Any) -> set[tuple[str, float]]:
    panels = content(resource(alerts=alerts), topic)["panels"]
    steps = [(each["title"], each.get("fieldConfig", {}).get("defaults", {}).get("thresholds")) for each in panels]
    return {(title, each["steps"][-1]["value"]) for title, each in steps if each and len(each["steps"]) > 1}


@pytest.mark.parametrize(
    ("topic", "own", "fixed"),
    [
        (
            "overview",
            {"Availability": 0.9, "Uptime": 0.9, "Response time": 60, "Generation success": 0.8},
            {"Pods answering": 1, "Error budget left": 0, "Burn rate": 1},
        ),
        ("models", {"Latency": 60, "Success": 0.8}, {"Circuit breakers": 2}),
        ("business", {}, {}),
        ("traces", {}, {}),
    ],
)
def test_panels_turn_red_where_alerts_fire(topic: str, own: dict[str, float], fixed: dict[str, float]) -> None:
    asked = {
        "thresholds": {"latencyP95": "1m", "generationFailureRate": "0.2"},
        "slo": {"availability": "0.9"},
    }
    assert limits(topic, **asked) == set((own | fixed).items())


def test_every_limit_that_a_resource_sets_is_some_panel_s() -> None:
    """One that nobody names would be of no effect; a name that is not known ends in an AttributeError."""
    shown = [panel for text in rendered().values() for panel in json.loads(text)["panels"]]
    assert {step["of"].replace(" ", "_") for step in steps(shown) if "of" in step} == {*_limits(resource())._fields}


def steps(panels: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield from panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", ())


@pytest.mark.parametrize("topic", topics(resource()))
def test_by_default_panels_turn_red_where_the_generated_ones_do(topic: str) -> None:
    """Or nobody would see what is committed."""
    generated = {panel["id"]: panel for panel in json.loads(rendered()[topic])["panels"]}
    for step in steps(generated.values()):
        step.pop("of", None)
    for panel in content(resource(), topic)["panels"]:
        assert panel.get("fieldConfig") == generated[panel["id"]].get("fieldConfig"), panel["title"]


def test_links_lead_to_traces_where_a_person_can_open_them() -> None:
    links = content(resource("a", dashboards={"traceURL": "https://jaeger.example.com/"}), "overview")["links"]
    assert "https://jaeger.example.com/search?service=a" in [link.get("url") for link in links]
    assert not [link for link in content(resource("a"), "overview")["links"] if link["title"] == "Traces"]


@pytest.mark.parametrize("topic", naming.TOPICS)
def test_without_an_address_a_link_leads_to_the_traces_by_grafana_s_own_page(topic: str) -> None:
    shown = content(resource("a"), topic)
    (link,) = (each for each in shown["links"] if each["title"] == "Search traces")
    (pane,) = json.loads(parse_qs(urlsplit(link["url"]).query)["panes"][0]).values()
    chosen = {"type": "jaeger", "uid": "${traces}"}
    search = {"refId": "A", "datasource": chosen, "queryType": "search", "service": "${jaeger}"}
    assert (pane["datasource"], pane["queries"]) == ("${traces}", [search])
    assert {"traces", "jaeger"} <= {each["name"] for each in shown["templating"]["list"]}


def test_runbooks_are_the_user_s_own_where_there_are_any() -> None:
    own = {"runbookURL": "https://wiki.example.com/runbooks/"}
    for alerts, url in ((own, "https://wiki.example.com/runbooks"), ({}, RUNBOOKS)):
        for topic in naming.TOPICS:
            links = content(resource("a", alerts=alerts), topic)["links"]
            assert [each["url"] for each in links if each["title"] == "Runbooks"] == [url], topic


def test_links_lead_to_prometheus_by_grafana_s_own_page_and_to_its_own_where_that_is_known() -> None:
    for topic, text in rendered().items():
        (link,) = (each for each in json.loads(text)["links"] if each["title"] == "Query Prometheus")
        address = urlsplit(link["url"])
        (pane,) = json.loads(parse_qs(address.query)["panes"][0]).values()
        assert (address.path, pane["datasource"]) == ("/explore", "${datasource}"), topic
        assert pane["queries"][0]["expr"].startswith("up{"), topic
    links = content(resource("a", "x", dashboards={"prometheusURL": "https://prometheus.example.com/"}), "models")[
        "links"
    ]
    (own,) = (urlsplit(each["url"]) for each in links if each["title"] == "Prometheus")
    assert (own.hostname, own.path) == ("prometheus.example.com", "/graph")
    assert parse_qs(own.query)["g0.expr"] == ['up{namespace="x",service="a-service"}']
    assert not [each for each in content(resource("a"), "models")["links"] if each["title"] == "Prometheus"]


@pytest.mark.parametrize(
    "tracing", [{"mode": "Disabled"}, {"mode": "External", "endpoint": "http://jaeger.example.com:4317"}]
)
def test_nothing_leads_to_traces_without_a_jaeger_of_ours(tracing: dict[str, str]) -> None:
    elsewhere = resource(tracing=tracing)
    assert topics(elsewhere) == ("overview", "models", "business")
    for topic in topics(elsewhere):
        shown = content(elsewhere, topic)
        assert "Search traces" not in {link["title"] for link in shown["links"]}
        assert [each["name"] for each in shown["templating"]["list"]] == ["datasource", "namespace", "service"]


def test_spans_that_are_lost_on_the_way_to_any_jaeger_are_shown() -> None:
    elsewhere = resource(tracing={"mode": "External", "endpoint": "http://jaeger.example.com:4317"})
    panels = [panel for topic in topics(elsewhere) for panel in content(elsewhere, topic)["panels"]]
    asked = [target.get("expr", "") for panel in panels for target in panel.get("targets", ())]
    assert len([expr for expr in asked if "t2i_spans_dropped_total" in expr]) == 1


@pytest.mark.parametrize("topic", topics(resource()))
def test_grafana_s_own_types_know_every_field(topic: str) -> None:
    """What they do not know is lost on the way through them; what they add is their defaults."""
    register_default_plugins()
    shipped = content(resource(dashboards={"traceURL": "https://jaeger.example.com"}), topic)
    (annotation,) = shipped["annotations"]["list"]
    for name in ("titleFormat", "tagKeys"):
        del annotation[name]  # the Prometheus data source's own
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(shipped))))
    assert list(_lost(shipped, read)) == []


def _lost(sent: Any, read: Any, path: str = "") -> Iterator[str]:
    if isinstance(sent, dict) and isinstance(read, dict):
        for key, value in sent.items():
            yield from _lost(value, read.get(key), f"{path}.{key}")
    elif isinstance(sent, list) and isinstance(read, list) and len(sent) == len(read):
        for index, (one, other) in enumerate(zip(sent, read, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif sent != read:
        yield f"{path}: {sent!r} became {read!r}"


def test_every_panel_says_what_it_shows() -> None:
    for topic, text in rendered().items():
        panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
        assert panels
        assert len({panel["id"] for panel in panels}) == len(panels), topic
        for panel in panels:
            assert panel["title"], topic
            assert panel["description"].endswith("."), panel["title"]
            asked = [target.get("expr") or target.get("queryType") for target in panel["targets"]]
            assert asked, panel["title"]
            assert all(asked), panel["title"]


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_an_alert_is_named_where_it_is_marked(topic: str) -> None:
    """Grafana's Prometheus data source names nothing by itself: title and tags are empty unless they are asked for."""
    (annotation,) = json.loads(rendered()[topic])["annotations"]["list"]
    asked = re.findall(r"by \(([^)]*)\)", annotation["expr"])[0].split(", ")
    assert [annotation["titleFormat"].strip("{}"), annotation["tagKeys"]] == asked == ["alertname", "severity"]


COUNTED_AS = {"reqps": "Requests", "count:spans/s": "Spans", "count:generations/s": "Generations"}
COUNTED_AS |= {"count:tokens/s": "Tokens", "ops": "Reconciliations"}


def test_every_panel_of_spans_says_that_they_may_be_a_share() -> None:
    panels = json.loads(rendered()["traces"])["panels"]
    of_spans = [panel for panel in panels if "traces_span_metrics" in json.dumps(panel.get("targets"))]
    assert len(of_spans) > 4
    assert [panel["title"] for panel in of_spans if "tracing.samplingRatio" not in panel["description"]] == []


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_a_rate_has_the_unit_of_what_is_counted(topic: str) -> None:
    for panel in json.loads(rendered()[topic])["panels"]:
        counted = re.match(r"(\w+) a second", panel.get("description", ""))
        if counted and counted[1] in COUNTED_AS.values():
            assert COUNTED_AS.get(panel["fieldConfig"]["defaults"]["unit"]) == counted[1], panel["title"]


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_shares_end_at_one_and_counts_have_no_fractions(topic: str) -> None:
    """Prometheus extrapolates an increase: of one picture there would be 1.03."""
    for panel in json.loads(rendered()[topic])["panels"]:
        shown = panel.get("fieldConfig", {}).get("defaults", {})
        if panel["type"] == "timeseries" and shown["unit"] == "percentunit":
            assert shown["max"] == 1, panel["title"]
        asked = " ".join(target.get("expr", "") for target in panel.get("targets", ()))
        counts = re.match(r"sum( by \(.*?\))? \(increase\(", asked) and "cost" not in asked
        if counts and shown.get("unit") == "none":
            assert shown["decimals"] == 0, panel["title"]


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_no_column_is_headed_by_a_label_s_own_name(topic: str) -> None:
    for panel in (panel for panel in json.loads(rendered()[topic])["panels"] if panel["type"] == "table"):
        (organize,) = (each["options"] for each in panel["transformations"] if each["id"] == "organize")
        assert not [head for head in organize["renameByName"].values() if "_" in head], panel["title"]


def test_no_panel_speaks_of_outcomes_that_it_does_not_draw() -> None:
    """Rates of success are of what ended by itself; a panel that speaks of the rest says that it is left out."""
    for text in rendered().values():
        for panel in (panel for panel in json.loads(text)["panels"] if panel["type"] != "row"):
            expressions = [expr for target in panel["targets"] if "generation" in (expr := target.get("expr", ""))]
            drawn = [expr for expr in expressions if 'status=~"success|error"' not in expr]
            spoken_of = {outcome for outcome in ("canceled", "refused") if outcome in panel["description"]}
            assert drawn or not spoken_of or "left out" in panel["description"], panel["title"]


@pytest.mark.parametrize("topic", sorted(rendered()))
def test_every_variable_resolves(topic: str) -> None:
    """One that nobody declares would stay as it is written, and its query would find nothing."""
    body = json.loads(rendered()[topic])
    declared = [each["name"] for each in body["templating"]["list"]]
    used = {first or second for first, second in VARIABLE.findall(json.dumps(body))}
    assert used <= {*declared, *GRAFANAS_OWN}
    for number, each in enumerate(body["templating"]["list"]):
        earlier = {first or second for first, second in VARIABLE.findall(json.dumps(each))}
        assert earlier <= set(declared[:number]), each["name"]
    assert len(set(declared)) == len(declared)


def test_the_dependency_graph_is_asked_of_the_jaeger_that_is_chosen() -> None:
    body = json.loads(rendered()["traces"])
    (panel,) = (panel for panel in body["panels"] if panel["type"] == "nodeGraph")
    (target,) = panel["targets"]
    assert target["queryType"] == "dependencyGraph"
    assert target["datasource"] == panel["datasource"] == {"type": "jaeger", "uid": "${traces}"}
    kinds = {each["name"]: each["query"] for each in body["templating"]["list"] if each["type"] == "datasource"}
    assert kinds == {"datasource": "prometheus", "traces": "jaeger"}


def test_alerts_lead_to_the_dashboards_that_there_are() -> None:
    assert get_args(Topic) == naming.TOPICS
