"""Fewer than `minimumRequests` never count, though `increase` makes more of them the fewer scrapes a window has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator.spec.monitoring import LONGEST_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OWN = 'namespace="text-to-image",service="text-to-image-service"'
POST = f'{OWN},endpoint="/generate",method="POST",pod="a"'
SECONDS = "http_request_duration_seconds"
FAILING = (
    f'http_requests_total{{{POST},status="500"}}',
    f'{SECONDS}_bucket{{{POST},le="15.0"}}',
    f'{SECONDS}_bucket{{{POST},le="+Inf"}}',
    f"{SECONDS}_count{{{POST}}}",
    f'image_generation_total{{{OWN},pod="a",status="error"}}',
)
FAST, MEDIUM = (f'TextToImageErrorBudgetBurn",burn_rate="{pair}' for pair in ("fast", "medium"))
COUNTED_ANEW = ("HighErrorRate", "HighLatency", "ImageGenerationFailure", FAST)
# By interval, the fewest that are told whenever they are looked at. It divides a window of five minutes, or does not.
SURE = {"15s": 5, "30s": 5, "45s": 6, "1m": 6, "1m1s": 7, LONGEST_INTERVAL: 6}


def failed(requests: int, interval: str, every: str, alerts: Iterable[str], *, tells: bool) -> dict[str, Any]:
    """Have so many fail between two scrapes, of a service that has answered a hundred before.

    An alert that is only pending is one that was told: `for` may be 0s.
    """
    series = [
        *({"series": name, "values": f"100x9 {100 + requests}x60"} for name in FAILING),
        {"series": f'{SECONDS}_bucket{{{POST},le="10.0"}}', "values": "100x70"},
    ]
    checks = [
        {
            "expr": f'count(count by (alertname) (max_over_time(ALERTS{{alertname="{alert}"}}[1h])))',
            "eval_time": "1h",
            "exp_samples": [{"labels": "{}", "value": 1}] if tells else [],
        }
        for alert in alerts
    ]
    test = {"interval": interval, "input_series": series, "promql_expr_test": checks}
    files = [f"{name}.yaml" for name in ("alerts", "trends", "history")]
    return {"rule_files": files, "evaluation_interval": every, "tests": [test]}


@pytest.mark.parametrize("interval", SURE)
def test_four_never_count_and_from_some_on_all_do(promtool: Callable[..., None], interval: str) -> None:
    """Looked at every 7 s, which is at all distances from a scrape."""
    for requests, tells in ((4, False), (SURE[interval], True)):
        promtool(failed(requests, interval, "7s", COUNTED_ANEW, tells=tells), interval=interval)


@pytest.mark.parametrize(("requests", "tells"), [(4, False), (6, True)])
def test_what_is_summed_from_five_minutes_counts_so_too(
    promtool: Callable[..., None], requests: int, *, tells: bool
) -> None:
    """The five minutes from the tenth on hold four scrapes, 3m30s apart: four requests among them are 5.7."""
    promtool(failed(requests, "1m10s", "5m", [MEDIUM], tells=tells), interval="1m10s")


def test_many_are_held_to_as_strictly(promtool: Callable[..., None]) -> None:
    """Of 18 in five minutes of ten scrapes, 20 are made."""
    for requests, tells in ((19, False), (22, True)):
        alerts = failed(requests, "30s", "7s", COUNTED_ANEW[:3], tells=tells)
        promtool(alerts, minimumRequests=20)
