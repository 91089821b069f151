"""The longest interval that the CRD admits: alerts fire when they should, and only then, though a scrape be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator import spec
from t2i_operator.spec.monitoring import LONGEST_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = 'namespace="text-to-image",service="text-to-image-service"'
POST = f'{OWN},endpoint="/generate",method="POST",pod="a"'
SECONDS = "http_request_duration_seconds"
FAILING = {
    f'http_requests_total{{{POST},status="200"}}': 60,
    f'http_requests_total{{{POST},status="500"}}': 40,
    f'{SECONDS}_bucket{{{POST},le="10.0"}}': 50,
    f'{SECONDS}_bucket{{{POST},le="15.0"}}': 100,
    f'{SECONDS}_bucket{{{POST},le="+Inf"}}': 100,
    f"{SECONDS}_count{{{POST}}}": 100,
    f'image_generation_total{{{OWN},pod="a",status="success"}}': 60,
    f'image_generation_total{{{OWN},pod="a",status="error"}}': 40,
}
FIRING = ("HighErrorRate", "HighLatency", "ImageGenerationFailure", "TextToImageErrorBudgetBurn")
QUIET = ("TextToImageAbsent", "TextToImageDown")
SCRAPES, LOST = 30, 15


def scraped(interval: str) -> dict[str, Any]:
    """Return a service that fails all the time and loses one scrape, when Prometheus marks its series stale."""
    series = [
        {"series": name, "values": f"0+{step}x{LOST - 1} stale {step * (LOST + 1)}+{step}x{SCRAPES - LOST}"}
        for name, step in FAILING.items()
    ]
    series.append({"series": f'up{{{OWN},pod="a"}}', "values": f"1x{LOST - 1} 0 1x{SCRAPES - LOST}"})
    every, end = int(spec.seconds(interval)), int(spec.seconds(interval)) * SCRAPES
    moments = range(10 * 60, end, 30)
    alerts = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in FIRING]
    checks = [
        # One alert's name stands for every pair of windows and either objective.
        {"expr": 'count by (alertname) (count by (alertname) (ALERTS{alertstate="firing"}))', "eval_time": f"{at}s"}
        | {"exp_samples": alerts}
        for at in moments
    ]
    assert every * LOST > 10 * 60, "the loss is not looked at"
    names = "".join(f"{name} " for name in (*FIRING, *QUIET))
    test = {"name": f"read: {names}", "interval": interval, "input_series": series, "promql_expr_test": checks}
    return {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": [test]}


def test_at_the_longest_interval_every_alert_fires_and_nothing_is_missed(promtool: Callable[..., None]) -> None:
    promtool(scraped(LONGEST_INTERVAL), interval=LONGEST_INTERVAL)


def test_at_a_longer_one_a_lost_scrape_ends_them(promtool: Callable[..., None]) -> None:
    """Or the test above could not fail."""
    with pytest.raises(AssertionError, match="HighErrorRate"):
        promtool(scraped("2m"), interval="2m")
