"""What sends spans to the trace store, by its protocol, and what both protocols need of the settings."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from t2i_service.tracing.certificates import check_authorities, check_pair
from t2i_service.tracing.otel_variables import readable_attributes, sendable_headers
from t2i_service.version import installed

if TYPE_CHECKING:
    from pydantic import HttpUrl

    from t2i_service.settings import Settings
    from t2i_service.tracing.span_export import Exporter


class LastWords(logging.Filter):
    """Keeps what the exporter complains about for our one line, instead of a line for each try."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Remember the complaint and let nothing through."""
        self.text = record.getMessage()
        return False

    def __str__(self) -> str:
        return self.text


def otlp_exporter(settings: Settings, endpoint: HttpUrl, words: LastWords) -> Exporter:
    """Import one protocol's module and not the other's: gRPC takes 16 MiB, HTTP 6, and each half a second.

    Raises `ValueError` for certificates that cannot be used.
    """
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = readable_attributes(settings.resource_attributes)
    if settings.otlp_authorities:
        check_authorities(settings.otlp_authorities)
    if settings.otlp_certificate and settings.otlp_key:
        check_pair(settings.otlp_certificate, settings.otlp_key)
    if settings.otlp_protocol == "grpc":
        # Its core would write beside our lines, to standard error, what the exporter complains about anyway.
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")
        from t2i_service.tracing.otlp_grpc import GrpcExporter  # noqa: PLC0415

        return GrpcExporter(settings, endpoint, words)
    from t2i_service.tracing.otlp_http import HttpExporter  # noqa: PLC0415

    return HttpExporter(settings, endpoint, words)


def resource_of(settings: Settings) -> Any:
    """Return what each batch says of this process."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415

    described = Resource.create({"service.name": settings.service_name, "service.version": installed()})
    return dict(described.attributes)


def headers_of(settings: Settings) -> str:
    """Return the headers as OpenTelemetry spells them, of those for traces or else of all those that can be sent."""
    spelled = (headers.get_secret_value() for headers in (settings.otlp_traces_headers, settings.otlp_headers))
    return sendable_headers(next(filter(str.strip, spelled), ""))


def timeout_of(settings: Settings) -> float:
    """Return for how many seconds a batch is tried; what is said of traces comes first."""
    return settings.otlp_traces_timeout or settings.otlp_timeout


def compression_of(settings: Settings) -> str:
    """Return the word of OpenTelemetry, of which its exporter for gRPC does not know `none`."""
    return settings.otlp_traces_compression or settings.otlp_compression
