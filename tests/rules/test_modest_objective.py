"""Objectives that promise little: no error budget burns faster than 1 / (1 - target), yet every alert on one fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator.builders.monitoring.rules.slo import DEFAULT_BURN_RATES

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = 'namespace="text-to-image",service="text-to-image-service"'
POST = f'{OWN},endpoint="/generate",method="POST",pod="a"'
SECONDS = "image_generation_duration_seconds"
SLOW_TO_FIRE = "5h"  # The slowest pair's short window holds what there is, and must burn for three hours.


def burning(bad: int, target: str, firing: list[str], at: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return promtool's tests, and the objectives: of a hundred answers a minute so many are 5xx, and as many slow."""
    counters = {
        f'http_requests_total{{{POST},status="200"}}': 100 - bad,
        f'http_requests_total{{{POST},status="503"}}': bad,
        f'{SECONDS}_bucket{{{OWN},pod="a",le="30.0"}}': 100 - bad,
        f'{SECONDS}_count{{{OWN},pod="a"}}': 100,
    }
    alert = 'ALERTS{alertname="TextToImageErrorBudgetBurn",alertstate="firing"}'
    samples = [
        {"labels": f'{{burn_rate="{name}", slo="{slo}"}}', "value": 1}
        for name in firing
        for slo in ("availability", "latency")
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"0+{step}x360"} for name, step in counters.items()],
        "promql_expr_test": [
            {"expr": f"count by (burn_rate, slo) ({alert})", "eval_time": at, "exp_samples": samples},
        ],
    }
    files = [f"{pace}.yaml" for pace in ("history", "hours", "trends", "alerts")]
    tests = {"rule_files": files, "group_eval_order": _paces(files), "evaluation_interval": "1m", "tests": [test]}
    return tests, {"availability": target, "latency": {"target": target}}


def _paces(files: list[str]) -> list[str]:
    return [f"text-to-image.text-to-image.{file.removesuffix('.yaml')}" for file in files]


@pytest.mark.parametrize("target", ["0.93", "0.9", "0.5", "0.05"])
def test_when_everything_fails_every_default_alert_fires(promtool: Callable[..., None], target: str) -> None:
    tests, objectives = burning(100, target, [pair.name for pair in DEFAULT_BURN_RATES], SLOW_TO_FIRE)
    promtool(tests, slo=objectives)


def test_one_objective_may_promise_little_and_the_other_much(promtool: Callable[..., None]) -> None:
    tests, objectives = burning(100, "0.9", [pair.name for pair in DEFAULT_BURN_RATES], SLOW_TO_FIRE)
    promtool(tests, slo=objectives | {"availability": "0.999"})


def test_at_nine_tenths_the_fastest_waits_for_nine_errors_in_ten(promtool: Callable[..., None]) -> None:
    tests, objectives = burning(89, "0.9", ["medium", "slow", "creeping"], SLOW_TO_FIRE)
    promtool(tests, slo=objectives)
    tests, objectives = burning(91, "0.9", ["fast"], "10m")
    promtool(tests, slo=objectives)


def test_an_objective_of_one_twentieth_is_not_missed_by_less_than_it_allows(promtool: Callable[..., None]) -> None:
    tests, objectives = burning(94, "0.05", [], SLOW_TO_FIRE)
    promtool(tests, slo=objectives)
