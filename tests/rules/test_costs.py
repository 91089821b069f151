"""What a day, a week and a month cost, just below their budget and just above it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator.builders.monitoring.rules.cost import PERIODS

if TYPE_CHECKING:
    from collections.abc import Callable

OWN = 'namespace="text-to-image",service="text-to-image-service",currency="USD"'
COST = f't2i_model_cost_total{{{OWN},pod="a",model="sdxl"}}'
DAYS = {"Day": 1, "Week": 7, "Month": 30}
# Two in each five minutes, the shortest step that is recorded.
SCRAPES_A_DAY = 576


@pytest.mark.parametrize("period", [*PERIODS])
@pytest.mark.parametrize(("costs", "fires"), [(49.98, False), (50.02, True)])
def test_a_budget_of_fifty(
    promtool: Callable[..., None], built: Callable[..., dict[str, Any]], period: str, costs: float, *, fires: bool
) -> None:
    """Ask between two evaluations: on one, a window would hold both of its ends, which no Prometheus' own does."""
    budget, days = {"amount": "50.00", "period": period}, DAYS[period]
    rules = [rule for group in built(budget=budget)["groups"] for rule in group["rules"]]
    (expr,) = (rule["expr"] for rule in rules if rule.get("alert") == "TextToImageCostAboveBudget")
    pace = PERIODS[period][1]
    check = {
        "expr": f"round({expr}, 0.01)",
        "eval_time": f"{days * 24 + 12}h7m",
        "exp_samples": [{"labels": f"{{{OWN}}}", "value": costs}] if fires else [],
    }
    cost = costs / days / SCRAPES_A_DAY
    test = {
        "interval": "2m30s",
        "input_series": [{"series": COST, "values": f"0+{cost:.10f}x{(days + 1) * SCRAPES_A_DAY}"}],
        "promql_expr_test": [check],
    }
    files = [f"{pace.name}.yaml"]
    promtool({"rule_files": files, "evaluation_interval": pace.interval, "tests": [test]}, budget=budget)
