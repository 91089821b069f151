"""The highest latency that the CRD admits as a threshold: HighLatency fires when every answer takes longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_operator.builders.monitoring.promql import bound
from t2i_operator.spec.alerts import DURATION_BUCKETS, PERCENTILE_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = 'namespace="text-to-image",service="text-to-image-service",endpoint="/generate",method="POST",pod="a"'
SECONDS = "http_request_duration_seconds"


def test_answers_beyond_every_bucket_are_too_slow(promtool: Callable[..., None]) -> None:
    buckets = {bound(each): 0 for each in DURATION_BUCKETS} | {"+Inf": 10}
    series = {f'{SECONDS}_bucket{{{OWN},le="{le}"}}': step for le, step in buckets.items()}
    series[f"{SECONDS}_count{{{OWN}}}"] = 10
    test = {
        "interval": "30s",
        "input_series": [{"series": name, "values": f"0+{step}x30"} for name, step in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count(ALERTS{alertname="HighLatency",alertstate="firing"})',
                "eval_time": "10m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
        ],
    }
    tests = {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": [test]}
    promtool(tests, thresholds={"latencyP95": PERCENTILE_BOUNDS[-1]})
