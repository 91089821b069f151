"""An OpenTelemetry collector on a real socket that keeps what it is sent: OTLP over gRPC, as Jaeger takes it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Received:
    """One span as it arrived."""

    span: Span
    resource: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.span.name)

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return values_of(self.span.attributes)


@dataclass
class FakeCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps spans; `refuse` makes it answer as a broken one, `hold` as one that never answers."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    refuse: threading.Event = field(default_factory=threading.Event)
    hold: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def Export(  # noqa: N802 - gRPC's own spelling
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        if self.hold:
            self.released.wait(60)
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "held on purpose")
        if self.refuse.is_set():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused on purpose")
        for resource_spans in request.resource_spans:
            resource = values_of(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [Received(span, resource) for span in scope_spans.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> dict[str, Received]:
        """Return one trace's spans by name."""
        return {span.name: span for span in list(self.spans) if span.trace_id == trace_id}


def values_of(attributes: list[KeyValue]) -> dict[str, Any]:
    """Turn OTLP's attributes into a plain mapping."""
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in attributes}


@contextmanager
def collecting() -> Iterator[FakeCollector]:
    collector = FakeCollector()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    collector.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield collector
    finally:
        server.stop(0).wait()
