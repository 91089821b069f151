"""What this process has counted since it was last scraped: a pod's last totals reach no Prometheus, so the log does.

Endpoints drops a pod as soon as it terminates, and whoever still scrapes it cannot after its socket has closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_service.observing import logs

if TYPE_CHECKING:
    from prometheus_client import Counter

    from t2i_service.observing.metrics import Metrics

log = logs.get()


class Unscraped:
    """Remembers the totals of money and outcomes at the last scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._counters = (metrics.model_generations, metrics.model_cost, metrics.model_tokens, metrics.abandoned)
        self._scraped: dict[str, float] = {}

    def scraped(self) -> None:
        """Take note that somebody has been told the totals."""
        self._scraped = dict(total for counter in self._counters for total in _totals(counter))

    def since(self) -> dict[str, float]:
        """Return each sample, as Prometheus writes it, with what it has risen by since the last scrape."""
        totals = (total for counter in self._counters for total in _totals(counter))
        rises = ((sample, value - self._scraped.get(sample, 0.0)) for sample, value in totals)
        return {sample: rise for sample, rise in rises if rise}

    def tell(self) -> None:
        """Say it in the log, for whoever adds up what a stopped pod has done and cost."""
        # Anybody may have scraped, and Prometheus not seen it: what is all in all can be compared with what it knows.
        totals = {sample: value for counter in self._counters for sample, value in _totals(counter) if value}
        if totals:
            log.info("Counted since the last scrape", counted=self.since(), totals=totals)


def _totals(counter: Counter) -> list[tuple[str, float]]:
    return [
        (_sample(sample.name, sample.labels), sample.value)
        for family in counter.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    ]


def _sample(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
