"""Each side of a threshold: what is just as much as it allows is quiet, and a little more fires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = 'namespace="text-to-image",service="text-to-image-service"'
POST = f'{OWN},endpoint="/generate",method="POST",pod="a"'
GENERATED = f'image_generation_total{{{OWN},pod="a",status="'
BURN = 'TextToImageErrorBudgetBurn",burn_rate="fast",slo="availability'


def firing(alert: str, counters: dict[str, int], *, fires: bool) -> dict[str, Any]:
    """Return promtool's test of an alert that is told after ten minutes, or not; counters grow by these a scrape."""
    expr = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    check = {"expr": expr, "eval_time": "10m", "exp_samples": [{"labels": "{}", "value": 1}] if fires else []}
    played = [{"series": name, "values": f"0+{step}x20"} for name, step in counters.items()]
    test = {"interval": "30s", "input_series": played, "promql_expr_test": [check]}
    return {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": [test]}


def answered(**counts: int) -> dict[str, int]:
    return {f'http_requests_total{{{POST},status="{status[1:]}"}}': count for status, count in counts.items()}


@pytest.mark.parametrize(
    ("counts", "fires"),
    [
        pytest.param({"s200": 900, "s500": 100}, False, id="a-tenth"),
        pytest.param({"s200": 899, "s500": 101}, True, id="more-than-a-tenth"),
        pytest.param({"s202": 900, "s503": 100}, False, id="a-tenth-asked-asynchronously"),
        pytest.param({"s202": 899, "s503": 101}, True, id="more-than-a-tenth-asked-asynchronously"),
        pytest.param({"s202": 1000, "s503": 5}, False, id="a-handful-turned-away-of-a-thousand-taken"),
        pytest.param({"s200": 400, "s202": 499, "s503": 101}, True, id="more-than-a-tenth-of-both"),
        pytest.param({"s200": 899, "s503": 101, "s401": 9000, "s429": 9000}, True, id="of-those-let-in"),
    ],
)
def test_errors_of_all_requests(promtool: Callable[..., None], counts: dict[str, int], *, fires: bool) -> None:
    promtool(firing("HighErrorRate", answered(**counts), fires=fires))


@pytest.mark.parametrize(("failed", "fires"), [(50, False), (51, True)])
def test_failed_generations(promtool: Callable[..., None], failed: int, *, fires: bool) -> None:
    counters = {f'{GENERATED}success"}}': 1000 - failed, f'{GENERATED}error"}}': failed}
    promtool(firing("ImageGenerationFailure", counters, fires=fires))


@pytest.mark.parametrize(("failed", "fires"), [(144, False), (145, True)])
def test_a_fast_burn(promtool: Callable[..., None], failed: int, *, fires: bool) -> None:
    """Of a thousand a scrape, at an objective of 99 %: 14.4 times what it allows, and 14.5 times."""
    promtool(firing(BURN, answered(s200=1000 - failed, s503=failed), fires=fires))


def test_who_is_not_let_in_saves_no_budget(promtool: Callable[..., None]) -> None:
    promtool(firing(BURN, answered(s401=90_000, s429=90_000, s200=855, s503=145), fires=True))
