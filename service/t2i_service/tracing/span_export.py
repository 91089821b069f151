"""Spans on their way out: a bounded queue and one thread. A collector that is down costs counted spans and no more.

The SDK's own batch processor ignores an export that failed and counts nothing, hence this one.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from t2i_service.observing import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from t2i_service.observing.metrics import Metrics

QUEUE_LENGTH = 8192
BATCH_LENGTH = 512
# Receivers of gRPC take messages of 4 MiB; one that is larger would be lost whole, and each time for the same reason.
MOST_BATCH_BYTES = 3 * 1024 * 1024
INTERVAL_SECONDS = 1.0
SHUTDOWN_SECONDS = 5.0

log = logs.get("app.tracing")


class Exporter(Protocol):
    """What a queue hands its batches to."""

    def export(self, spans: Sequence[Any]) -> bool:
        """Return whether they have arrived."""
        ...

    def shutdown(self) -> None:
        """Let go of connections."""
        ...


class _NoExporter(Exporter):
    """Stands in for one that could not be made, so that its spans are counted as dropped."""

    def export(self, spans: Sequence[Any]) -> bool:
        """Fail."""
        del spans
        return False

    def shutdown(self) -> None:
        """Do nothing."""


class SpanExport:
    """One exporter's queue; `exporter` is made in the thread, so that a slow import holds nothing up."""

    def __init__(
        self,
        name: str,
        make_exporter: Callable[[], Exporter],
        metrics: Metrics,
        why: Callable[[], str] = str,
    ) -> None:
        self._name = name
        self._why = why
        self._in_hand = 0
        self._make_exporter = make_exporter
        self._queue: deque[object] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self._failing = False
        self._exported = metrics.spans_exported.labels(name)
        self._overflowed = metrics.spans_dropped.labels(name, "queue_full")
        self._failed = metrics.spans_dropped.labels(name, "export_failed")
        self._thread = threading.Thread(target=self._work, name=f"export-{name}", daemon=True)

    def start(self) -> None:
        """Begin to export."""
        self._thread.start()

    def submit(self, span: object) -> None:
        """Queue a span."""
        if len(self._queue) >= QUEUE_LENGTH:
            self._overflowed.inc()
            return
        self._queue.append(span)
        if len(self._queue) == BATCH_LENGTH:
            self._wake.set()

    def shutdown(self) -> None:
        """Send what is queued; give up after `SHUTDOWN_SECONDS`, and tell what is left: no scrape will come."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(SHUTDOWN_SECONDS)
        if lost := len(self._queue) + self._in_hand:
            log.warning("Spans lost at shutdown", exporter=self._name, spans=lost)

    def _work(self) -> None:
        try:
            exporter: Exporter = self._make_exporter()
        except Exception as error:
            self._tell(f"{type(error).__name__}: {error}", done=False)
            exporter = _NoExporter()
        while True:
            self._wake.wait(INTERVAL_SECONDS)
            self._wake.clear()
            while self._queue:
                self._export(exporter, self._batch())
            if self._stopping:
                exporter.shutdown()
                return

    def _batch(self) -> list[object]:
        """Take so many spans, or so many bytes of them."""
        batch: list[object] = []
        size = 0
        while self._queue and len(batch) < BATCH_LENGTH and size < MOST_BATCH_BYTES:
            span = self._queue.popleft()
            size += _size(span)
            batch.append(span)
        return batch

    def _export(self, exporter: Exporter, batch: list[object]) -> None:
        reason, self._in_hand = "", len(batch)
        try:
            done = exporter.export(batch)
        except Exception as error:
            done, reason = False, f"{type(error).__name__}: {error}"
        self._in_hand = 0
        (self._exported if done else self._failed).inc(len(batch))
        self._tell(reason or self._why(), done=done)

    def _tell(self, reason: str, *, done: bool) -> None:
        """Log each turn for the worse and for the better, and nothing between."""
        if done is not self._failing:
            return
        self._failing = not done
        if done:
            log.info("Spans are exported again", exporter=self._name)
        else:
            log.warning("Spans cannot be exported and are dropped", exporter=self._name, error=reason)


def _size(span: object) -> int:
    """Return how many bytes are known of: those of an encoded span, or of the prompt that LangTrace gets beside one."""
    parts = span if isinstance(span, tuple) else (span,)
    return sum(len(part) for part in parts if isinstance(part, bytes | str))
