"""What no scrape will see is told once, and only what has risen."""

from __future__ import annotations

from t2i_service.observing.metrics import Metrics
from t2i_service.observing.unscraped import Unscraped


def test_only_what_rose_since_the_last_scrape() -> None:
    metrics = Metrics("1", "c")
    metrics.init_model_series("sdxl", "replicate", "USD")
    unscraped = Unscraped(metrics)
    assert unscraped.since() == {}
    metrics.model_cost.labels("sdxl", "USD").inc(0.5)
    metrics.abandoned.inc()
    unscraped.scraped()
    assert unscraped.since() == {}
    metrics.model_cost.labels("sdxl", "USD").inc(0.25)
    assert unscraped.since() == {'t2i_model_cost_total{currency="USD",model="sdxl"}': 0.25}
