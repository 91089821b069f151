"""OTLP over HTTP: the published exporter, its connection, headers and retries, with our bytes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http import trace_exporter as published
from opentelemetry.util.re import parse_env_headers

from t2i_service.tracing.otlp import request_of
from t2i_service.tracing.otlp_exporter import compression_of, headers_of, resource_of, timeout_of
from t2i_service.tracing.span_export import Exporter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from opentelemetry.exporter.otlp.common.http import _ExportResult
    from pydantic import HttpUrl

    from t2i_service.settings import Settings
    from t2i_service.tracing.otlp_exporter import LastWords

TRACES_PATH = "/v1/traces"


class HttpExporter(Exporter):
    """Says whether the collector took a batch."""

    def __init__(self, settings: Settings, endpoint: HttpUrl, words: LastWords) -> None:
        logging.getLogger(published.__name__).addFilter(words)
        self._words = words
        self._resource = resource_of(settings)
        self._exporter = _Encoded(
            endpoint=traces_url(str(endpoint)),
            certificate_file=_name(settings.otlp_authorities),
            client_certificate_file=_name(settings.otlp_certificate),
            client_key_file=_name(settings.otlp_key),
            headers=parse_env_headers(headers_of(settings), liberal=True),
            timeout=timeout_of(settings),
            compression=Compression(compression_of(settings)),
            session=_Session(),
        )

    def export(self, spans: Sequence[Any]) -> bool:
        """Send a batch; the client takes a redirect, which it does not follow, for success."""
        result = self._exporter.send(request_of(self._resource, spans))
        self._words.text = f"{result.status_code} {result.reason}" if result.status_code else f"{result.error}"
        return result.success and (result.status_code or 0) < 300

    def shutdown(self) -> None:
        """Close the connections."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Encoded(published.OTLPSpanExporter):
    """Takes our bytes; its client is private, and the contract tests tell when it moves."""

    def send(self, data: bytes) -> _ExportResult:
        """Return what became of them."""
        return self._client.export(data)


class _Session(requests.Session):
    """Trusts its own authorities, though REQUESTS_CA_BUNDLE be set, as for a LangTrace of one's own."""

    def request(self, *args: Any, **options: Any) -> Any:
        """Name them with each request: there alone they come before the environment's."""
        options["verify"] = self.verify
        return super().request(*args, **options)


def traces_url(endpoint: str) -> str:
    """Return where OTLP/HTTP is posted to: the endpoint is a base, as OTEL_EXPORTER_OTLP_ENDPOINT, or the whole URL."""
    parts = urlsplit(endpoint)
    return parts._replace(path=parts.path.rstrip("/").removesuffix(TRACES_PATH) + TRACES_PATH).geturl()


def _name(file: Path | None) -> str | None:
    return str(file) if file else None
