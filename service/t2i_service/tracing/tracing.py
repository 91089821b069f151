"""Where spans go: to the trace store over OTLP, by the ratio; and what of them goes elsewhere, by `submit`."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pydantic import HttpUrl, ValidationError

from t2i_service.observing import logs
from t2i_service.observing.spans import Span, Tracer
from t2i_service.tracing.otel_variables import clear_environment
from t2i_service.tracing.otlp import encoded
from t2i_service.tracing.otlp_exporter import LastWords, otlp_exporter
from t2i_service.tracing.span_export import SpanExport

if TYPE_CHECKING:
    from t2i_service.observing.metrics import Metrics
    from t2i_service.settings import Settings

# Some write where the page of one trace is.
_PAGE_OF_A_TRACE = re.compile(r"/+trace(/\{trace_id\})?$")

log = logs.get("app.tracing")


class Tracing:
    """One tracer and its exporters; without an endpoint spans still give log lines their ids."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.pages = pages_at(settings.trace_url)
        self._exports: list[SpanExport] = []
        self._store: SpanExport | None = None
        record_all = bool(settings.langtrace_api_key.get_secret_value())
        ratio = settings.sampling_ratio if settings.otlp_endpoint else 0.0
        self.tracer = Tracer(ratio, record_all=record_all, on_end=self._ended)
        if endpoint := settings.otlp_endpoint:
            words = LastWords()
            self._store = SpanExport("otlp", lambda: otlp_exporter(settings, endpoint, words), metrics, words.__str__)
            self.add(self._store)

    def add(self, export: SpanExport) -> None:
        """Start and stop this exporter too; it gets what is submitted to it."""
        self._exports.append(export)

    def start(self) -> None:
        """Start the exporters' threads."""
        clear_environment()
        for export in self._exports:
            export.start()

    def shutdown(self) -> None:
        """Send what is queued, side by side: the pod's grace period has no room for one after the other."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda export: export.shutdown(), self._exports))

    def keeps(self, span: Span) -> bool:
        """Whether the trace store will get a span, so that a link to it leads somewhere."""
        return self._store is not None and span.sampled

    def _ended(self, span: Span) -> None:
        if self._store and span.sampled:
            # Here, while it is at hand: in the thread, in turns with the event loop, it takes three times as long.
            self._store.submit(encoded(span))


def pages_at(url: str) -> str | None:
    """Return where `/trace/<id>` follows, None where nothing can; a link too few is no reason not to start."""
    base = _PAGE_OF_A_TRACE.sub("", url.strip().rstrip("/"))
    if not base:
        return None
    try:
        HttpUrl(base)
        if "?" not in base and "#" not in base:
            return base
    except ValidationError:
        pass
    advice = "write where Jaeger's pages begin, without ? and #, such as https://jaeger.example.com"
    log.warning("T2I_TRACE_URL cannot be used, and no link leads to a trace", url=url, advice=advice)
    return None
