"""OTLP over gRPC: the published exporter, its connection, headers and retries, with our bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from grpc import Compression, ssl_channel_credentials  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc import exporter as published
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult

from t2i_service.tracing.otlp import request_of
from t2i_service.tracing.otlp_exporter import compression_of, headers_of, resource_of, timeout_of
from t2i_service.tracing.span_export import Exporter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from grpc import ChannelCredentials
    from pydantic import HttpUrl

    from t2i_service.settings import Settings
    from t2i_service.tracing.otlp_exporter import LastWords


class GrpcExporter(Exporter):
    """Says whether the collector took a batch."""

    def __init__(self, settings: Settings, endpoint: HttpUrl, words: LastWords) -> None:
        logging.getLogger(published.__name__).addFilter(words)
        self._exporter = _Encoded(
            # With the port, for gRPC's own is 443, for http too.
            endpoint=f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}",
            insecure=endpoint.scheme == "http",
            credentials=_credentials(settings),
            headers=headers_of(settings) or None,
            timeout=timeout_of(settings),
            compression=Compression.Gzip if compression_of(settings) == "gzip" else Compression.NoCompression,
        )
        self._exporter.resource = resource_of(settings)

    def export(self, spans: Sequence[Any]) -> bool:
        """Send a batch."""
        return self._exporter.export(spans) is SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the channel."""
        self._exporter.shutdown()


class _Encoded(OTLPSpanExporter):
    """Takes our spans; the method is private there, and the contract tests tell when it moves."""

    resource: Any

    def _translate_data(self, data: Sequence[Any]) -> ExportTraceServiceRequest:
        message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(request_of(self.resource, data))
        return message


def _credentials(settings: Settings) -> ChannelCredentials | None:
    files = (settings.otlp_authorities, settings.otlp_key, settings.otlp_certificate)
    return ssl_channel_credentials(*(file and file.read_bytes() for file in files)) if any(files) else None
