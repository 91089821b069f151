"""The spans of a real request, taken from the service once and sent as if each time were a new request.

A trace has its callers' spans too: as many again, as `with_callers` adds them.
"""

from __future__ import annotations

import random
import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from dev.bench.programs import SERVICE, awaken, serving
from dev.cluster.waiting import until
from tests.fakes.collector import FakeCollector, Received, collecting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT = "generate_image"
SPANS_A_REQUEST = 3
EVERY_SECONDS = 0.5
FAILING = 0.05
_MODEL = {"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.01"}}


class Sent(NamedTuple):
    """How many requests' spans were sent, and how many of these Jaeger would not take."""

    requests: int
    refused: int


def of_request() -> list[Received]:
    """Return the spans of one request, in the order in which they ended."""
    with collecting() as collector, serving(SERVICE, {"OTLP_ENDPOINT": collector.url}, _MODEL) as service:
        awaken(service, exporters=1)
        if not until(lambda: len(_whole(collector)) == SPANS_A_REQUEST, seconds=30):
            raise TimeoutError(f"no trace of {SPANS_A_REQUEST} spans comes")
        return _whole(collector)


def with_callers(spans: Sequence[Received]) -> list[Received]:
    """Return the request's spans and as many of whoever called, alike but for their names."""
    callers = []
    for each in spans:
        span = Span.FromString(each.span.SerializeToString())
        span.name, span.span_id = f"caller: {span.name}", secrets.token_bytes(8)
        callers.append(Received(span, each.resource))
    return [*spans, *callers]


def send(address: str, spans: Sequence[Received], rate: int, seconds: float, tick: Callable[[], None]) -> Sent:
    """Send so many requests a second, whatever becomes of them; `tick` is called twice a second."""
    each, sent, refused = int(rate * EVERY_SECONDS), 0, 0
    with grpc.insecure_channel(address) as channel:
        export = trace_service_pb2_grpc.TraceServiceStub(channel).Export  # type: ignore[no-untyped-call]
        begun = time.monotonic()
        for number in range(int(seconds / EVERY_SECONDS)):
            time.sleep(max(0.0, begun + number * EVERY_SECONDS - time.monotonic()))
            try:
                export(_batch(spans, each), timeout=10)
            except grpc.RpcError:
                refused += each
            sent += each
            tick()
    return Sent(sent, refused)


def _whole(collector: FakeCollector) -> list[Received]:
    roots = [span for span in list(collector.spans) if span.name == ROOT]
    return [span for span in list(collector.spans) if roots and span.trace_id == roots[-1].trace_id]


def _batch(spans: Sequence[Received], requests: int) -> trace_service_pb2.ExportTraceServiceRequest:
    """Copy the spans under new ids, ended now; one request in twenty fails."""
    attributes = [
        KeyValue(key=key, value=AnyValue(string_value=str(value))) for key, value in spans[0].resource.items()
    ]
    scope = ScopeSpans()
    for _ in range(requests):
        trace, ids = secrets.token_bytes(16), {span.id: secrets.token_bytes(8) for span in spans}
        longer, failed, end = random.expovariate(1 / 5), random.random() < FAILING, time.time_ns()  # noqa: S311
        for span in spans:
            copied = scope.spans.add()
            copied.CopyFrom(span.span)
            copied.trace_id, copied.span_id = trace, ids[span.id]
            copied.parent_span_id = ids.get(span.parent, b"")
            copied.start_time_unix_nano = end - int(longer * 1e9)
            copied.end_time_unix_nano = end
            if failed:
                copied.status.code = Status.STATUS_CODE_ERROR
    return trace_service_pb2.ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=Resource(attributes=attributes), scope_spans=[scope])]
    )
