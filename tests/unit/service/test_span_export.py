"""Spans that find no room, or that nobody takes, are counted with the reason."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs
from t2i_service.observing.metrics import Metrics
from t2i_service.settings import Settings
from t2i_service.tracing import span_export
from t2i_service.tracing.span_export import BATCH_LENGTH, MOST_BATCH_BYTES, QUEUE_LENGTH, SpanExport
from t2i_service.tracing.tracing import Tracing

from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence


class Stuck:
    """Takes a batch into its hands, and says what became of it when it is let go."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.got: list[int] = []

    def export(self, spans: Sequence[Any]) -> bool:
        self.got.append(len(spans))
        self.let_go.wait(10)
        return True

    def shutdown(self) -> None:
        pass


def test_a_full_queue_drops_what_is_new_and_counts_it() -> None:
    metrics, exporter = Metrics("1", "c"), Stuck()
    export = SpanExport("otlp", lambda: exporter, metrics)

    def count(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"exporter": "otlp", **labels})

    export.start()
    for number in range(BATCH_LENGTH):
        export.submit(number)
    wait_for(lambda: exporter.got)
    for number in range(QUEUE_LENGTH + 7):
        export.submit(number)
    assert count("t2i_spans_dropped_total", reason="queue_full") == 7
    assert count("t2i_spans_dropped_total", reason="export_failed") == 0
    exporter.let_go.set()
    export.shutdown()
    assert sum(exporter.got) == QUEUE_LENGTH + BATCH_LENGTH == count("t2i_spans_exported_total")


def test_what_is_not_sent_when_the_pod_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_export, "SHUTDOWN_SECONDS", 0.1)
    exporter = Stuck()
    export = SpanExport("otlp", lambda: exporter, Metrics("1", "c"))
    export.start()
    for number in range(BATCH_LENGTH):
        export.submit(number)
    wait_for(lambda: exporter.got)
    export.submit("behind them")
    with capture_logs() as lines:
        export.shutdown()
    assert [(line["event"], line["exporter"], line["spans"]) for line in lines] == [
        ("Spans lost at shutdown", "otlp", BATCH_LENGTH + 1)
    ]
    exporter.let_go.set()


class Meeting(SpanExport):
    """Ends once the other one ends as well."""

    def __init__(self, both: threading.Barrier) -> None:
        self._both = both

    def shutdown(self) -> None:
        self._both.wait(10)


def test_no_exporter_waits_for_another_to_end() -> None:
    tracing, both = Tracing(Settings(), Metrics("1", "c")), threading.Barrier(2)
    tracing.add(Meeting(both))
    tracing.add(Meeting(both))
    tracing.shutdown()


THIRD = MOST_BATCH_BYTES // 3


@pytest.mark.parametrize("span", [bytes(THIRD), (object(), "", "p" * THIRD)], ids=["encoded", "with a prompt"])
def test_a_batch_ends_where_its_message_would_be_too_large(span: object) -> None:
    exporter = Stuck()
    exporter.let_go.set()
    export = SpanExport("otlp", lambda: exporter, Metrics("1", "c"))
    for _ in range(7):
        export.submit(span)
    export.start()
    export.shutdown()
    assert exporter.got == [3, 3, 1]
