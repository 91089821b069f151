"""One trace a generation, told to a collector over a real socket; its trouble costs spans and no more."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any

import pytest
from starlette.applications import Starlette
from t2i_service.observing import telemetry

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.collector import FakeCollector, collecting
from tests.fakes.processes import serving
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

DROPPED = "t2i_spans_dropped_total"
PROMPT = "a lighthouse at dusk"
SMALL = {"prompt": PROMPT, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def collector() -> Iterator[FakeCollector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
def traced(start: Callable[..., RunningService], collector: FakeCollector) -> RunningService:
    return start(
        SDXL,
        OTLP_ENDPOINT=collector.url,
        OTEL_RESOURCE_ATTRIBUTES="k8s.namespace.name=text-to-image,k8s.pod.name=pod-1",
        T2I_PROMPT_CHARACTERS="5",
    )


def generate(service: RunningService, **options: Any) -> httpx.Response:
    with service.client() as client:
        return client.post("/generate", json=SMALL | options.pop("body", {}), **options)


def one_after_the_other(service: RunningService, replicate: FakeReplicate) -> list[dict[str, Any]]:
    """Return the answers of a service with one slot to two who ask at once."""
    replicate.knobs.predict_seconds = 60
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(generate, service) for _ in range(2)]
        wait_for(lambda: service.metric("t2i_generations_queued") == 1 and replicate.running())
        replicate.knobs.predict_seconds = 0.3
        replicate.finish()
        return [future.result().json() for future in asked]


def test_the_trace_is_the_guides(traced: RunningService, collector: FakeCollector, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 0.2
    answer = generate(traced, body={"seed": 9}).json()
    wait_for(lambda: len(collector.trace(answer["trace_id"])) == 3)
    trace = collector.trace(answer["trace_id"])
    root, model, fetch = trace["generate_image"], trace["replicate_sdxl"], trace["fetch_images"]
    assert (root.parent, model.parent, fetch.parent) == ("", root.id, root.id)
    assert (root.span.kind, model.span.kind) == (root.span.SPAN_KIND_SERVER, model.span.SPAN_KIND_CLIENT)
    told = root.attributes
    assert told["request_id"] == answer["request_id"]
    assert (told["prompt"], told["model"], told["status"]) == ("a lig...", "sdxl", "success")
    assert told["duration"] == pytest.approx(answer["timings"]["total"])
    assert (told["http.route"], told["http.response.status_code"]) == ("/generate", 200)
    (prediction_id,) = replicate.predictions
    told = model.attributes
    assert told["gen_ai.operation.name"] == "generate_content"
    assert told["gen_ai.output.type"] == "image"
    assert told["gen_ai.provider.name"] == "replicate"
    assert (told["gen_ai.request.model"], told["gen_ai.request.seed"]) == ("sdxl", 9)
    assert told["gen_ai.response.id"] == prediction_id
    assert told["t2i.predict_seconds"] == pytest.approx(0.2, abs=0.01)
    assert told["gen_ai.usage.cost.amount"] == pytest.approx(0.2 * 0.000975, rel=0.1)
    assert told["server.address"] == "127.0.0.1"
    assert root.resource["service.name"] == "text-to-image"
    assert root.resource["k8s.pod.name"] == "pod-1"


def test_every_span_and_attribute_is_declared_and_every_declared_one_is_there(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    with collecting() as collector:
        service = start(SDXL, OTLP_ENDPOINT=collector.url, T2I_MAX_IN_FLIGHT="1")
        replicate.knobs.tokens = {"input_token_count": 7, "output_token_count": 1056}
        answers = one_after_the_other(service, replicate)
        replicate.knobs.outcome = "failed"
        assert generate(service).status_code == 502
        with service.client() as client:
            assert client.get(f"/generations/{answers[0]['id']}").status_code == 200
            client.post("/feedback", json={"generation_id": answers[0]["id"], "rating": "up"})
        wait_for(lambda: {span.name for span in collector.spans} >= telemetry.SPANS)
        assert service.stop() == 0
    assert {span.name for span in collector.spans} == telemetry.SPANS | {telemetry.model_span_name("replicate", "sdxl")}
    assert {name for span in collector.spans for name in span.attributes} == telemetry.ATTRIBUTES


def test_log_trace_and_metric_meet_in_one_request_id(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    answer = generate(traced, headers={"x-request-id": "follow-me"}).json()
    (line,) = wait_for(lambda: traced.logged("Image generation completed", request_id="follow-me"))
    assert line["trace_id"] == answer["trace_id"]
    assert line["span_id"] == wait_for(lambda: collector.trace(answer["trace_id"]).get("generate_image")).id
    with traced.client() as client:
        text = client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    exemplar = f'# {{request_id="follow-me",trace_id="{answer["trace_id"]}"}}'
    for family in ("image_generation_duration_seconds", "http_request_duration_seconds", "t2i_model_duration_seconds"):
        assert re.search(rf"^{family}_bucket.*{re.escape(exemplar)}", text, re.MULTILINE), family


def test_the_callers_trace_goes_on(traced: RunningService, collector: FakeCollector, replicate: FakeReplicate) -> None:
    trace_id, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    answer = generate(traced, headers={"traceparent": f"00-{trace_id}-{caller}-01"}).json()
    assert answer["trace_id"] == trace_id
    assert wait_for(lambda: collector.trace(trace_id).get("generate_image")).parent == caller


def test_of_two_callers_traces_neither_goes_on(traced: RunningService, replicate: FakeReplicate) -> None:
    chosen = ["a" * 32, "b" * 32]
    headers = [("traceparent", f"00-{trace_id}-{'c' * 16}-01") for trace_id in chosen]
    for sent in (headers, headers[:1] * 2, headers * 2):
        assert generate(traced, headers=sent).json()["trace_id"] not in chosen


def test_a_failure_shows_in_the_trace(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    replicate.knobs.outcome, replicate.knobs.error = "failed", f"cannot draw {PROMPT!r}"
    line = generate(traced, headers={"x-request-id": "failing"})
    assert line.status_code == 502
    (logged,) = wait_for(lambda: traced.logged("Image generation failed", level="error", request_id="failing"))
    wait_for(lambda: len(collector.trace(logged["trace_id"])) == 2)
    trace = collector.trace(logged["trace_id"])
    assert trace["generate_image"].span.status.code == 2
    assert trace["generate_image"].attributes["status"] == "error"
    assert trace["replicate_sdxl"].attributes["error.type"] == logged["code"] == "generation_failed"
    assert trace["replicate_sdxl"].attributes["error"] == "cannot draw 'a lig...'"


def test_the_first_failure_speaks_for_all_predictions_of_a_request(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    replicate.knobs.predict_seconds, replicate.knobs.faults = 60, {"create": ["slow:0.2", "402"]}
    body, headers = {"prompt": PROMPT, "n": 8}, {"x-request-id": "several"}
    with traced.client() as client:
        assert client.post("/v1/images/generations", json=body, headers=headers).status_code == 502
    (canceled,) = wait_for(lambda: traced.logged("Image generation canceled", request_id="several"))
    root = wait_for(lambda: collector.trace(canceled["trace_id"]).get("generate_image"))
    assert (root.attributes["status"], root.attributes["error.type"]) == ("error", "provider_no_credit")


def test_a_refusal_is_told_by_a_root_that_did_not_fail(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    replicate.knobs.outcome, replicate.knobs.error = "failed", "NSFW content detected"
    assert generate(traced, headers={"x-request-id": "refused"}).status_code == 422
    (logged,) = wait_for(lambda: traced.logged("Image generation refused", request_id="refused"))
    root = wait_for(lambda: collector.trace(logged["trace_id"]).get("generate_image"))
    assert (root.span.status.code, root.attributes["error.type"]) == (0, "generation_refused")


def test_a_failed_fetch_shows_in_the_trace(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    replicate.knobs.outputs = ["https://images.example.com/a.png"]
    assert generate(traced, headers={"x-request-id": "unfetched"}).status_code == 502
    (logged,) = wait_for(lambda: traced.logged("Image generation failed", level="error", request_id="unfetched"))
    wait_for(lambda: len(collector.trace(logged["trace_id"])) == 3)
    trace = collector.trace(logged["trace_id"])
    for name in ("generate_image", "fetch_images"):
        assert trace[name].span.status.code == 2
        assert trace[name].attributes["error.type"] == "provider_bad_image"
        assert "not its own" in trace[name].attributes["error"]
    assert trace["replicate_sdxl"].span.status.code == 0


def test_what_never_reached_the_provider_shows_in_the_trace(
    start: Callable[..., RunningService], collector: FakeCollector, replicate: FakeReplicate
) -> None:
    service = start(SDXL, OTLP_ENDPOINT=collector.url, T2I_MAX_IN_FLIGHT="1", T2I_MAX_QUEUED="0")
    replicate.knobs.predict_seconds = 60
    with ThreadPoolExecutor(2) as pool:
        answers = as_completed([pool.submit(generate, service) for _ in range(2)])
        assert next(answers).result().status_code == 503
        wait_for(replicate.running)
        replicate.finish()
        assert next(answers).result().status_code == 200
    replicate.knobs.faults = {"create": ["500"] * 10}
    assert {generate(service).status_code for _ in range(10)} == {502}
    assert generate(service).json()["code"] == "provider_unavailable"
    for kind in ("overloaded", "provider_unavailable"):
        (line,) = wait_for(lambda kind=kind: service.logged("Image generation failed", level="error", code=kind))
        root = wait_for(lambda line=line: collector.trace(line["trace_id"]).get("generate_image"))
        assert (root.span.status.code, root.attributes["error.type"]) == (2, kind)
        assert root.attributes["error"] == root.span.status.message


def test_a_request_answered_before_its_end_says_so(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    replicate.knobs.predict_seconds = 0.5
    answer = generate(traced, headers={"prefer": "respond-async"})
    wait_for(lambda: traced.logged("Image generation completed", request_id=answer.json()["request_id"]))
    root = wait_for(lambda: collector.trace(answer.json()["trace_id"]).get("generate_image"))
    assert root.attributes["http.response.status_code"] == 202
    assert root.attributes["status"] in {"starting", "processing"}


def test_a_deadline_shows_in_both_spans(
    start: Callable[..., RunningService], collector: FakeCollector, replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"timeoutSeconds": 3}, OTLP_ENDPOINT=collector.url)
    replicate.knobs.predict_seconds = 60
    assert generate(service).status_code == 504
    (logged,) = wait_for(lambda: service.logged("Image generation failed", level="error"))
    wait_for(lambda: len(collector.trace(logged["trace_id"])) == 2)
    trace = collector.trace(logged["trace_id"])
    assert {span.span.status.code for span in trace.values()} == {2}
    assert {span.attributes["error.type"] for span in trace.values()} == {"generation_timeout"}
    asked = [span for span in trace.values() if "gen_ai.response.id" in span.attributes]
    assert [span.attributes["gen_ai.response.id"] for span in asked] == list(replicate.predictions)[-1:]


def test_waiting_for_a_slot_is_a_span(
    start: Callable[..., RunningService], collector: FakeCollector, replicate: FakeReplicate
) -> None:
    service = start(SDXL, OTLP_ENDPOINT=collector.url, T2I_MAX_IN_FLIGHT="1")
    answers = one_after_the_other(service, replicate)
    waited = max(answers, key=lambda answer: answer["timings"]["queue"])
    span = wait_for(lambda: collector.trace(waited["trace_id"]).get("wait_for_slot")).span
    seconds = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
    assert seconds == pytest.approx(waited["timings"]["queue"], abs=0.05)


def test_probes_and_scrapes_make_no_span(
    traced: RunningService, collector: FakeCollector, replicate: FakeReplicate
) -> None:
    known = {span.id for span in collector.spans}
    with traced.client() as client:
        for path in ("/health", "/ready", "/metrics", "/info", "/nowhere"):
            client.get(path, headers={"traceparent": f"00-{'c' * 32}-{'d' * 16}-01"})
    last = generate(traced).json()
    wait_for(lambda: len(collector.trace(last["trace_id"])) == 3)
    fresh = [span for span in collector.spans if span.id not in known]
    assert {span.trace_id for span in fresh} == {last["trace_id"]}


def test_the_ratio_samples_whole_traces(start: Callable[..., RunningService], collector: FakeCollector) -> None:
    service = start(SANDBOX, OTLP_ENDPOINT=collector.url, T2I_SAMPLING_RATIO="0")
    unsampled = generate(service).json()
    assert re.fullmatch(r"[0-9a-f]{32}", unsampled["trace_id"])
    sampled = generate(service, headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}).json()
    wait_for(lambda: len(collector.trace(sampled["trace_id"])) == 3)
    assert not collector.trace(unsampled["trace_id"])
    assert (unsampled["trace_sampled"], sampled["trace_sampled"]) == (False, True)
    with service.client() as client:
        text = client.get("/metrics", headers={"accept": "application/openmetrics-text"}).text
    assert unsampled["trace_id"] not in text
    assert sampled["trace_id"] in text


def test_a_stranger_chooses_no_trace(
    start: Callable[..., RunningService], collector: FakeCollector, tmp_path: Path
) -> None:
    """All of them would be kept, in the place of others', and under ids that somebody else looks up."""
    (tmp_path / "alice").write_text("key-of-alice")
    service = start(
        SANDBOX,
        OTLP_ENDPOINT=collector.url,
        T2I_SAMPLING_RATIO="0",
        T2I_API_KEYS_DIR=str(tmp_path),
        T2I_REQUESTS_PER_MINUTE="1",
    )
    chosen = [f"{number:032x}" for number in range(1, 7)]
    alice = {"authorization": "Bearer key-of-alice"}
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("POST", "/generate", {}, 401),
        ("POST", "/feedback", {"authorization": "Bearer wrong"}, 401),
        ("GET", "/generations/x/images/0", {}, 403),
        ("GET", "/generations/x", alice, 404),
        ("POST", "/generate", alice, 200),
        ("POST", "/generate", alice, 429),
    ]
    with service.client() as client:
        for trace_id, (method, path, headers, status) in zip(chosen, asked, strict=True):
            body = SMALL if method == "POST" else None
            answer = client.request(
                method, path, json=body, headers=headers | {"traceparent": f"00-{trace_id}-{'b' * 16}-01"}
            )
            assert answer.status_code == status
    wait_for(lambda: collector.trace(chosen[-1]))
    assert [trace_id for trace_id in chosen if collector.trace(trace_id)] == chosen[3:]
    assert [line["trace_id"] in chosen for line in service.logged("Request served")] == [False] * 3 + [True] * 2


def test_a_strangers_paths_cost_nobody_a_trace_and_show_no_id(
    start: Callable[..., RunningService], tmp_path: Path
) -> None:
    """As they were sent, those of a second were more than a receiver takes at once, which loses them all."""
    (tmp_path / "alice").write_text("key-of-alice")
    alice = {"authorization": "Bearer key-of-alice"}
    with collecting() as collector:
        service = start(SANDBOX, OTLP_ENDPOINT=collector.url, T2I_API_KEYS_DIR=str(tmp_path))
        with service.client() as client:
            for _ in range(200):
                assert client.get(f"/generations/{'x' * 31_000}").status_code == 401
            answer = client.post("/generate", json=SMALL, headers=alice).json()
            assert client.get(f"/generations/{answer['id']}", headers=alice).status_code == 200
        wait_for(lambda: len(collector.trace(answer["trace_id"])) == 3)
        wait_for(lambda: service.metric("t2i_spans_exported_total", exporter="otlp") == 204)
        assert service.metric(DROPPED, exporter="otlp", reason="export_failed") == 0
    assert answer["id"] not in str([span.span for span in collector.spans])
    asked = [span.attributes for span in collector.spans if span.name == "access_generation"]
    assert {told["url.path"] for told in asked} == {"/generations/REDACTED"}
    assert {told["http.route"] for told in asked} == {"/generations/{generation_id}"}
    assert max(len(str(value)) for span in collector.spans for value in span.attributes.values()) < 200


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "refusing"])
def test_a_collector_in_trouble_costs_counted_spans_and_nothing_else(
    start: Callable[..., RunningService], collector: FakeCollector, endpoint: str
) -> None:
    if endpoint == "refusing":
        collector.refuse.set()
    try:
        service = start(SANDBOX, OTLP_ENDPOINT=collector.url if endpoint == "refusing" else endpoint)
        assert generate(service).status_code == 200
        wait_for(lambda: service.metric("t2i_spans_dropped_total", exporter="otlp", reason="export_failed") == 3)
        (line,) = wait_for(lambda: service.logged("Spans cannot be exported and are dropped"))
        assert line["error"]
    finally:
        collector.refuse.clear()
    if endpoint == "refusing":
        generate(service)
        wait_for(lambda: service.logged("Spans are exported again"))


@pytest.mark.parametrize("trouble", ["slow", "wrong"])
def test_a_collector_that_is_slow_or_none_holds_up_no_request(
    start: Callable[..., RunningService], trouble: str
) -> None:
    with collecting() as slow, serving(Starlette()) as not_grpc:
        slow.hold = True
        service = start(
            SANDBOX,
            OTLP_ENDPOINT=slow.url if trouble == "slow" else not_grpc,
            OTEL_EXPORTER_OTLP_TIMEOUT="5",
        )
        try:
            with service.client() as client:
                for _ in range(20):
                    assert client.post("/generate", json=SMALL).status_code == 200
            # The first batch goes after a second and takes five to fail: none of that may be a request's.
            assert service.metric(DROPPED, exporter="otlp", reason="export_failed") == 0
            wait_for(lambda: service.metric(DROPPED, exporter="otlp", reason="export_failed") >= 3)
            assert service.metric("t2i_spans_exported_total", exporter="otlp") == 0
            (line, *_) = wait_for(lambda: service.logged("Spans cannot be exported and are dropped"))
            assert line["error"]
        finally:
            slow.released.set()
