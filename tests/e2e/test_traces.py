"""One request's trace, found by its request id in the Jaeger that the operator deploys, as the guide draws it."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind

from dev.cluster.network import NODE_IP
from tests.e2e.boards import pages_of_jaeger
from tests.e2e.jaeger import jaeger, traces_of
from tests.e2e.prometheus import Prometheus
from tests.e2e.subject import Subject, until
from tests.fakes.langtrace import KEY, FakeLangTrace
from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate

LONG = "a lighthouse at dusk, " * 40
# Spans begin and end by the clock on the wall, which may be set while durations count on.
SLEW = 0.002
Spans = dict[str, dict[str, Any]]


@pytest.fixture
def replicate() -> Iterator[FakeReplicate]:
    fake = FakeReplicate()
    with serving(fake.app, NODE_IP) as url:
        fake.base_url = url
        yield fake


@pytest.fixture
def langtrace() -> FakeLangTrace:
    return FakeLangTrace()


@pytest.fixture
def traced(
    stack: None,
    subject: Subject,
    replicate: FakeReplicate,
    langtrace: FakeLangTrace,
    kubectl: Callable[..., str],
) -> Iterator[Subject]:
    """Give a service on the fakes of Replicate and LangTrace, with a Jaeger of its own."""
    keys = [f"--from-literal=REPLICATE_API_TOKEN={TOKEN}", f"--from-literal=LANGTRACE_API_KEY={KEY}"]
    kubectl("create", "secret", "generic", "provider", "-n", subject.namespace, *keys)
    environment = [{"name": "T2I_REPLICATE_API_URL", "value": replicate.base_url}]
    with serving(langtrace.app, NODE_IP) as langtrace_url:
        subject.apply(
            {
                "models": [{"name": "sdxl", "provider": "Replicate", "version": f"stability-ai/sdxl:{VERSION}"}],
                "credentials": {"secretRef": {"name": "provider"}},
                "monitoring": {
                    "metrics": {"interval": "5s"},
                    "tracing": {"mode": "Managed"},
                    "langtrace": {"host": langtrace_url},
                },
                "podTemplate": {"spec": {"containers": [{"name": "text-to-image", "env": environment}]}},
            }
        )
        subject.ready()
        subject.wait("TracingReady", "True", seconds=120)
        yield subject


def spans_of(subject: Subject, request_id: str) -> Spans:
    """Return the spans of a request by name, each with its tags as a mapping, once all have arrived."""

    def found() -> Spans:
        traces = traces_of(subject, request_id)
        assert len(traces) == 1, traces
        spans: Spans = {each["operationName"]: each for each in traces[0]["spans"]}
        assert {"generate_image", "replicate_sdxl"} <= spans.keys(), spans.keys()
        return spans

    spans = until(found, f"the trace of {request_id}", seconds=60)
    return {
        name: span | {"tags": {tag["key"]: tag["value"] for tag in span["tags"]}}
        for name, span in spans.items()
    }  # fmt: skip


def parent(span: dict[str, Any]) -> str | None:
    references = [each["spanID"] for each in span["references"] if each["refType"] == "CHILD_OF"]
    return references[0] if references else None


def test_a_request_is_drawn_as_in_the_guide(traced: Subject) -> None:
    answer = traced.generate(LONG, width=64, height=64)
    assert answer.status_code == 200, answer.text
    request_id = answer.headers["x-request-id"]
    spans = spans_of(traced, request_id)
    root, model = spans["generate_image"], spans["replicate_sdxl"]

    assert parent(root) is None
    assert parent(model) == root["spanID"]
    assert (root["tags"]["span.kind"], model["tags"]["span.kind"]) == ("server", "client")
    assert root["tags"]["request_id"] == model["tags"]["request_id"] == request_id
    assert root["tags"]["model"] == model["tags"]["gen_ai.request.model"] == "sdxl"
    assert root["tags"]["status"] == model["tags"]["status"] == "success"
    assert 0 < model["tags"]["duration"] <= root["tags"]["duration"] <= root["duration"] / 1e6 + SLEW
    assert root["tags"]["prompt"].endswith("...")
    assert LONG.startswith(root["tags"]["prompt"].removesuffix("..."))
    assert LONG not in str(spans)


@pytest.mark.timeout(600)
def test_one_request_id_leads_from_the_log_to_the_trace_the_exemplar_and_langtrace(
    traced: Subject, langtrace: FakeLangTrace, prometheus: Prometheus, kubectl: Callable[..., str]
) -> None:
    request_id = traced.generate("a lighthouse", width=64, height=64).headers["x-request-id"]

    def logged() -> list[dict[str, Any]]:
        """Return the line, which reaches the log a moment after the answer its caller."""
        logs = kubectl("logs", f"deployment/{traced.name}", "-n", traced.namespace).split("\n")
        lines = [json.loads(line) for line in logs if line]
        return [line for line in lines if line.get("request_id") == request_id and "completed" in line["event"]]

    (line,) = until(logged, "the line in the log", seconds=30)
    trace_id = line["trace_id"]

    spans = spans_of(traced, request_id)
    assert {span["traceID"] for span in spans.values()} == {trace_id}

    def received() -> bool:
        found = [text for text in map(json.dumps, langtrace.spans) if trace_id in text]
        assert len(found) == 1, found
        return request_id in found[0] and "a lighthouse" in found[0]

    until(received, "the span in LangTrace", seconds=60)

    def exemplars() -> set[str]:
        found = prometheus.exemplars(f'http_request_duration_seconds_bucket{{namespace="{traced.namespace}"}}')
        return {each["trace_id"] for each in found if each.get("request_id") == request_id}

    assert until(exemplars, "the exemplar", seconds=180) == {trace_id}


def test_an_error_is_told_by_both_spans_and_the_log(
    traced: Subject, replicate: FakeReplicate, kubectl: Callable[..., str]
) -> None:
    replicate.knobs.outcome = "failed"
    answer = traced.generate(width=64, height=64)
    assert answer.status_code == 502, answer.text
    spans = spans_of(traced, answer.headers["x-request-id"])
    root, model = spans["generate_image"]["tags"], spans["replicate_sdxl"]["tags"]

    assert root["otel.status_code"] == model["otel.status_code"] == "ERROR"
    assert root["status"] == model["status"] == "error"
    assert replicate.knobs.error in model["otel.status_description"]
    assert model["error.type"] == answer.json()["code"]
    trace_id = spans["generate_image"]["traceID"]

    def logged() -> list[str]:
        logs = kubectl("logs", f"deployment/{traced.name}", "-n", traced.namespace)
        return [line for line in logs.splitlines() if "Image generation failed" in line]

    (line,) = until(logged, "the line in the log", seconds=30)
    assert trace_id in line


def test_a_caller_with_a_span_of_its_own_is_a_dependency(traced: Subject) -> None:
    """Ask what the dashboard's panel asks, as Grafana does for the six hours that it shows."""
    (page,) = pages_of_jaeger(traced, "traces").values()
    collector = traced.get("service", f"{traced.name}-jaeger-collector")["spec"]["clusterIP"]
    exporter = OTLPSpanExporter(endpoint=f"http://{collector}:4317", insecure=True)
    provider = TracerProvider(resource=Resource.create({"service.name": "storefront"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("order a picture", kind=SpanKind.CLIENT) as span:
        context = span.get_span_context()
        headers = {"traceparent": f"00-{context.trace_id:032x}-{context.span_id:016x}-01"}
        body = {"prompt": "a harbour", "width": 64, "height": 64}
        answer = httpx.post(f"{traced.url()}/generate", json=body, headers=headers, timeout=60)
    provider.shutdown()
    assert answer.status_code == 200, answer.text
    spans = spans_of(traced, answer.headers["x-request-id"])
    assert spans["generate_image"]["traceID"] == f"{context.trace_id:032x}"
    assert parent(spans["generate_image"]) == f"{context.span_id:016x}"

    def shown() -> bool:
        links = jaeger(traced, page, endTs=int(time.time() * 1000), lookback=6 * 3_600_000)
        return {"parent": "storefront", "child": traced.name, "callCount": 1} in links

    until(shown, "the dependency", seconds=60)
