"""The registry of names against a real run, both ways, and what no sink may show."""

from __future__ import annotations

import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from t2i_service.generating.breaker import FAILURES_TO_OPEN
from t2i_service.observing import telemetry

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.collector import collecting
from tests.fakes.processes import RunningService
from tests.fakes.replicate import TOKEN
from tests.fakes.replicate_wire import FAULTS, problem
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from tests.fakes.replicate import FakeReplicate

HTTP = "http/protobuf"
FOREIGN = ("process_", "python_")
SECRET_PROMPT = 'my "secret"\nwish about Éowyn' + " and so on" * 5


def ask(service: RunningService, headers: dict[str, str] | None = None, /, **body: object) -> httpx.Response:
    small = {"prompt": "a lighthouse", "width": 64, "height": 64}
    with service.client() as client:
        return client.post("/generate", json=small | body, headers=headers)


def test_every_name_is_declared_and_every_declared_name_is_there(sandbox: RunningService) -> None:
    ask(sandbox)
    families = {
        family.name: family
        for family in text_string_to_metric_families(sandbox.metrics_text())
        if not family.name.startswith(FOREIGN) and not family.name.endswith("_created")
    }
    declared = {metric.name.removesuffix("_total"): metric for metric in telemetry.METRICS}
    assert families.keys() == declared.keys()
    for name, family in families.items():
        metric = declared[name]
        assert family.type == metric.kind
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels), name


def moved(service: RunningService) -> set[str]:
    """Return the families of which a sample is above zero at this moment."""
    families = text_string_to_metric_families(service.metrics_text())
    return {family.name for family in families if any(sample.value > 0 for sample in family.samples)}


def test_every_declared_metric_moves(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    """Headers say nothing of what is counted: a metric that nobody raises has them, too."""
    small = {"prompt": "a lighthouse", "width": 64, "height": 64}
    later = {"prefer": "respond-async"}
    with collecting(HTTP) as collector:
        service = start(
            SDXL,
            SDXL | {"name": "turbo", "weight": 0},
            OTLP_ENDPOINT=collector.url,
            OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=HTTP,
            OTEL_EXPORTER_OTLP_TIMEOUT="1",
            T2I_MAX_IN_FLIGHT="1",
            T2I_MAX_QUEUED="1",
            T2I_GRACE_SECONDS="3",
        )
        collector.refuse.set()
        replicate.knobs.tokens = {"input_token_count": 7, "output_token_count": 1056}
        replicate.knobs.faults = {"create": ["429"], "get": ["500"]}
        with service.client() as client:
            client.post("/feedback", json={"generation_id": ask(service).json()["id"], "rating": "up"})
        wait_for(lambda: "t2i_spans_dropped" in moved(service))
        collector.refuse.clear()
        replicate.knobs.faults = {"create": ["500"] * FAILURES_TO_OPEN}
        for _ in range(FAILURES_TO_OPEN):
            ask(service, model="turbo")
        replicate.knobs.predict_seconds = 60
        with service.client() as client, ThreadPoolExecutor(1) as pool:
            running = client.post("/generate", json=small, headers=later).headers["location"]
            queued = pool.submit(ask, service, later)
            wait_for(lambda: "t2i_generations_queued" in moved(service))
            assert ask(service).json()["code"] == "overloaded"
            seen = wait_for(lambda: "t2i_spans_exported" in (now := moved(service)) and now)
            assert client.post(f"{running}/cancel").json()["status"] == "canceled"
            assert queued.result().status_code == 202
        wait_for(lambda: service.metric("image_generation_total", status="canceled") == 1)
        seen |= moved(service)
        assert service.stop() == 0
        (told,) = service.logged("Counted since the last scrape")
    seen |= {sample.partition("{")[0].removesuffix("_total") for sample, count in told["counted"].items() if count > 0}
    declared = {metric.name.removesuffix("_total") for metric in telemetry.METRICS}
    assert declared - seen == set()


def test_every_declared_metric_is_documented_in_its_help() -> None:
    for metric in telemetry.METRICS:
        assert re.fullmatch(r"[A-Z0-9].{10,}[^.]", metric.help), metric.name


@pytest.mark.parametrize("characters", [0, 3])
def test_a_prompt_is_cut_in_every_sink(
    start: Callable[..., RunningService],
    replicate: FakeReplicate,
    monkeypatch: pytest.MonkeyPatch,
    characters: int,
) -> None:
    with collecting() as collector:
        service = start(SDXL, OTLP_ENDPOINT=collector.url, T2I_PROMPT_CHARACTERS=str(characters), LOG_LEVEL="DEBUG")
        bodies = [ask(service, prompt=SECRET_PROMPT, model="sdxl").text]
        replicate.knobs.outcome, replicate.knobs.error = "failed", f"could not draw: {SECRET_PROMPT}"
        bodies += [ask(service, prompt=SECRET_PROMPT).text]
        refusal = problem(422, "Input validation failed", f"cannot draw {SECRET_PROMPT}")
        monkeypatch.setitem(FAULTS, "quoting", lambda _: refusal)
        replicate.knobs.faults = {"create": ["quoting"]}
        bodies += [ask(service, prompt=SECRET_PROMPT).text]
        bodies += [ask(service, prompt=SECRET_PROMPT, width=-1).text]
        bodies += [ask(service, prompt=SECRET_PROMPT * 100).text]
        wait_for(lambda: len([span for span in collector.spans if span.name == "generate_image"]) == 5)
    spans = "\n".join(str(span.span) for span in collector.spans)
    for sink in (*bodies, *service.lines, spans):
        for piece in ("secret", "wish", "owyn"):
            assert piece not in sink, sink
    assert ("my " in spans) == bool(characters)


def test_secrets_are_redacted_at_every_level_and_inside_exceptions(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL, LOG_LEVEL="DEBUG", LANGTRACE_API_KEY="lt-very-secret")
    replicate.knobs.outcome, replicate.knobs.error = "failed", f"bad header Authorization: Bearer {TOKEN}"
    # Long enough to be running still when the create is answered.
    replicate.knobs.predict_seconds = 0.5
    answer = ask(service)
    assert answer.status_code == 502
    wait_for(lambda: service.logged("Image generation failed"))
    text = "\n".join(service.lines) + answer.text
    assert "[redacted]" in text
    assert TOKEN not in text
    assert "lt-very-secret" not in text
    told = service.logged("Provider answered", level="debug")
    calls = [(line["method"], line["path"], line["status"]) for line in told]
    (created,) = replicate.predictions
    assert calls[0] == ("POST", "/v1/predictions", 202)
    assert calls[-1] == ("GET", f"/v1/predictions/{created}", 200)


def test_capacity_has_an_end_and_says_when_to_come_again(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL, T2I_MAX_IN_FLIGHT="1", T2I_MAX_QUEUED="1", T2I_MAX_QUEUE_SECONDS="20")
    replicate.knobs.predict_seconds = 60
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask, service) for _ in range(4)]
        first = list(islice(as_completed(asked), 2))
        wait_for(replicate.running)
        replicate.knobs.predict_seconds = 0.01
        replicate.finish()
    refused = [future.result() for future in first]
    assert [future.result().status_code for future in asked if future not in first] == [200, 200]
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.json()["code"] for answer in refused} == {"overloaded"}
    assert {answer.headers["retry-after"] for answer in refused} == {"20"}
    assert service.metric("t2i_generations_rejected_total", reason="queue_full") == 2
    assert service.metric("t2i_generations_queued") == service.metric("t2i_generations_in_flight") == 0


def test_an_open_breaker_spares_the_provider_and_not_readiness(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL, SDXL | {"name": "turbo", "weight": 0})
    replicate.knobs.faults = {"create": ["500"] * 10}
    assert {ask(service).json()["code"] for _ in range(10)} == {"provider_error"}
    answer = ask(service)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert len(replicate.requests) == 10
    assert service.metric("t2i_model_breaker_state", model="sdxl") == 2
    with service.client() as client:
        assert client.get("/ready").status_code == 200
        told = {model["name"]: model["state"] for model in client.get("/info").json()["models"]}
    assert told == {"sdxl": "open", "turbo": "closed"}
    # The same provider's other model is none the worse for it.
    assert ask(service, model="turbo").status_code == 200
    assert ask(service).json()["code"] == "provider_unavailable"


def timed(service: RunningService) -> tuple[float, float]:
    """Return how many answers of `/generate`, and how many generations, have a duration."""
    answers = service.metric("http_request_duration_seconds_count", method="POST", endpoint="/generate")
    return answers, service.metric("image_generation_duration_seconds_count")


def answered(service: RunningService, *statuses: int) -> list[float]:
    labels = {"method": "POST", "endpoint": "/generate"}
    return [service.metric("http_requests_total", **labels, status=str(status)) for status in statuses]


def test_only_what_ran_has_a_duration(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    service = start(SDXL, T2I_MAX_IN_FLIGHT="1", T2I_MAX_QUEUED="0")
    assert ask(service, width=1).status_code == 422
    assert ask(service, width=68).json()["code"] == "invalid_input"
    replicate.knobs.faults = {"create": ["huge"]}
    assert ask(service).json()["code"] == "provider_refused_input"
    assert ask(service, prompt="a" * 70_000).status_code == 413
    assert timed(service) == (0, 0)
    replicate.knobs.predict_seconds = 60
    with ThreadPoolExecutor(1) as pool:
        runs = pool.submit(ask, service)
        wait_for(replicate.running)
        assert ask(service).json()["code"] == "overloaded"
        replicate.finish()
        assert runs.result().status_code == 200
    assert timed(service) == (1, 1)
    replicate.knobs.faults = {"create": ["500"] * 10}
    assert {ask(service).status_code for _ in range(10)} == {502}
    assert ask(service).json()["code"] == "provider_unavailable"
    assert timed(service) == (11, 11)
    assert service.metric("t2i_model_duration_seconds_count", model="sdxl") == 1
    assert answered(service, 200, 413, 422, 502, 503) == [1, 1, 3, 10, 2]


def test_a_caller_who_is_turned_away_leaves_no_duration(start: Callable[..., RunningService], tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="1")
    alice = {"authorization": "Bearer key-of-alice"}
    assert [ask(service, headers).status_code for headers in (None, alice, alice)] == [401, 200, 429]
    assert timed(service) == (1, 1)
    assert answered(service, 200, 401, 429) == [1, 1, 1]


def test_what_alerts_and_panels_count_starts_at_zero(start: Callable[..., RunningService]) -> None:
    text = start(SDXL).metrics_text()
    for sample in (
        't2i_model_generations_total{model="sdxl",provider="replicate",status="error"} 0.0',
        't2i_model_cost_total{currency="USD",model="sdxl"} 0.0',
        't2i_model_feedback_total{model="sdxl",rating="down"} 0.0',
        't2i_model_duration_seconds_count{model="sdxl"} 0.0',
        't2i_model_upstream_errors_total{model="sdxl",reason="unauthorized"} 0.0',
        't2i_model_retries_total{model="sdxl",reason="rate_limited"} 0.0',
        't2i_key_requests_total{key="anonymous"} 0.0',
        'image_generation_total{status="error"} 0.0',
    ):
        assert sample in text.splitlines()


def test_two_models_share_a_service_and_are_told_apart(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    often = SDXL | {"weight": 3}
    seldom = SANDBOX | {"name": "draft", "weight": 1, "defaults": {"width": 64, "height": 64}}
    never = SANDBOX | {"name": "spare", "weight": 0}
    service = start(often, seldom, never)
    drawn = Counter(ask(service).json()["model"] for _ in range(60))
    assert drawn.keys() == {"sdxl", "draft"}
    assert drawn["sdxl"] > drawn["draft"]
    for name in ("draft", "spare"):
        assert ask(service, model=name).json()["model"] == name
        drawn[name] += 1
    for name, provider in (("sdxl", "replicate"), ("draft", "sandbox"), ("spare", "sandbox")):
        told = {"model": name, "provider": provider, "status": "success"}
        assert service.metric("t2i_model_generations_total", **told) == drawn[name]
        assert service.metric("t2i_model_duration_seconds_count", model=name) == drawn[name]
    assert service.metric("image_generation_total", status="success") == drawn.total()
    assert service.metric("t2i_model_cost_total", model="sdxl", currency="USD") > 0
    assert 't2i_model_cost_total{currency="USD",model="draft"}' not in service.metrics_text()
    with service.client() as client:
        assert [model["id"] for model in client.get("/v1/models").json()["data"]] == ["sdxl", "draft", "spare"]


KEYS = ("key-of-alice", "lt-very-quiet")
BROKEN = f"""
import logging
from t2i_service.observing import logs
from t2i_service import main
from t2i_service.routes import generate

def resolve(body, models):
    logging.getLogger("library").warning("sent %s and %s", *{KEYS})
    logs.get().warning("Odd headers", headers={KEYS})
    raise LookupError(f"no room for {{body.prompt!r}} of {KEYS}")

generate.resolve = resolve
main.main()
"""


def test_a_bug_is_one_line_and_a_problem(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "alice").write_text(KEYS[0])
    service = RunningService(
        {
            "T2I_PROMPT_CHARACTERS": "0",
            "T2I_API_KEYS_DIR": str(tmp_path / "keys"),
            "LANGTRACE_API_KEY": KEYS[1],
            "LANGTRACE_API_HOST": "http://127.0.0.1:9",
        },
        under=[sys.executable, str(tmp_path / "broken.py")],
    )
    secret = {"authorization": f"Bearer {KEYS[0]}"}
    try:
        service.wait_until_up()
        known = len(service.lines)
        answer = ask(service, secret, prompt="something nobody may see")
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        told = answer.json()
        assert (told["code"], told["request_id"]) == ("internal_error", answer.headers["x-request-id"])
        wait_for(lambda: len(service.lines) > known)
        assert service.metric("http_requests_total", method="POST", endpoint="/generate", status="500") == 1
        assert service.metric("active_requests") == 0
        assert ask(service, secret).status_code == 500
    finally:
        service.stop()
    failed, *_ = lines = [line for line in service.logs[known:] if line["level"] == "error"]
    assert len(lines) == 2
    assert (failed["event"], failed["request_id"]) == ("Request failed", told["request_id"])
    assert failed["code"] == told["code"]
    assert re.fullmatch(r"[0-9a-f]{32}", failed["trace_id"])
    assert "LookupError: no room for" in failed["exception"]
    for sink in (answer.text, *service.lines):
        assert "nobody" not in sink
        assert not [key for key in KEYS if key in sink]
    for (line, *_), field in (
        (lines, "exception"),
        (service.logged("sent [redacted] and [redacted]", logger="library"), "event"),
        (service.logged("Odd headers"), "headers"),
    ):
        assert str(line[field]).count("[redacted]") >= 2
