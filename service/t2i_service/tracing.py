"""Where spans go: to the trace store over OTLP/gRPC, by the ratio; and what of them goes elsewhere, by `submit`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from t2i_service.otlp import request_of
from t2i_service.span_export import Exporter, SpanExport
from t2i_service.spans import Span, Tracer
from t2i_service.version import installed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from t2i_service.metrics import Metrics
    from t2i_service.settings import Settings


class Tracing:
    """One tracer and its exporters; without an endpoint spans still give log lines their ids."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._exports: list[SpanExport] = []
        self._store: SpanExport | None = None
        record_all = bool(settings.langtrace_api_key.get_secret_value())
        ratio = settings.sampling_ratio if settings.otlp_endpoint else 0.0
        self.tracer = Tracer(ratio, record_all=record_all, on_end=self._ended)
        if settings.otlp_endpoint:
            words = _LastWords()
            self._store = SpanExport("otlp", lambda: _otlp_exporter(settings, words), metrics, words.__str__)
            self.add(self._store)

    def add(self, export: SpanExport) -> None:
        """Start and stop this exporter too; it gets what is submitted to it."""
        self._exports.append(export)

    def start(self) -> None:
        """Start the exporters' threads."""
        for export in self._exports:
            export.start()

    def shutdown(self) -> None:
        """Send what is queued."""
        for export in self._exports:
            export.shutdown()

    def keeps(self, span: Span) -> bool:
        """Whether the trace store will get a span, so that a link to it leads somewhere."""
        return self._store is not None and span.sampled

    def _ended(self, span: Span) -> None:
        if self._store and span.sampled:
            self._store.submit(span)


class _LastWords(logging.Filter):
    """Keeps what the exporter complains about for our one line, instead of a line for each try."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the complaint and let nothing through."""
        self.text = record.getMessage()
        return False

    def __str__(self) -> str:
        return self.text


def _otlp_exporter(settings: Settings, words: _LastWords) -> Exporter:
    # Imported here: gRPC takes memory and time that a service without a collector need not spend.
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

    logging.getLogger(f"{OTLPSpanExporter.__module__.rpartition('.')[0]}.exporter").addFilter(words)
    described = Resource.create({"service.name": settings.service_name, "service.version": installed()})
    resource: Any = dict(described.attributes)
    endpoint = str(settings.otlp_endpoint)
    headers = settings.otlp_traces_headers.get_secret_value() or settings.otlp_headers.get_secret_value()

    class Encoded(OTLPSpanExporter):
        """The published exporter, its connection, headers and retries, with our bytes."""

        def _translate_data(self, data: Sequence[Any]) -> ExportTraceServiceRequest:
            message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(request_of(resource, data))
            return message

    class Otlp(Exporter):
        """Says whether the collector took a batch."""

        def __init__(self) -> None:
            insecure = endpoint.startswith("http://")
            self._exporter = Encoded(endpoint=endpoint, insecure=insecure, headers=headers or None)

        def export(self, spans: Sequence[Any]) -> bool:
            """Send a batch."""
            return self._exporter.export(spans) is SpanExportResult.SUCCESS

        def shutdown(self) -> None:
            """Close the channel."""
            self._exporter.shutdown()

    return Otlp()
