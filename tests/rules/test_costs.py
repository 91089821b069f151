"""What a day, a week and a month cost, just below their budget and just above it; and a single request."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import content
from t2i_operator.builders.monitoring.rules.cost import PERIODS

from tests.e2e.boards import filled_queries

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
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


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        pytest.param({"success": 3, "error": 1}, 0.02, id="ended by themselves"),
        pytest.param({"success": 1, "error": 1, "canceled": 1, "refused": 1}, 0.02, id="in any way"),
        pytest.param({"canceled": 4}, 0.02, id="all canceled"),
        pytest.param({"success": 0}, None, id="none"),
    ],
)
def test_a_request_costs_what_all_cost_that_are_charged(
    promtool: Callable[..., None], ended: dict[str, int], said: float | None
) -> None:
    """Eight hundredths are charged for the four of each scrape, canceled or not; what none cost is no number."""
    shown = content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "models")
    queries = filled_queries("models", shown, window="2m", shown="1h")
    asked = [each for each in queries if "Cost a request" in (each.title, each.legend)]
    labels = {"Cost a request": '{model="sdxl"}', "{{model}} in {{currency}}": '{model="sdxl",currency="USD"}'}
    assert {each.legend for each in asked} == labels.keys()
    checks = [
        {
            "expr": f"round({each.expr}, 0.001)",
            "eval_time": "2h",
            "exp_samples": [] if said is None else [{"labels": labels[each.legend], "value": said}],
        }
        for each in asked
    ]
    service = 'namespace="text-to-image",service="text-to-image-service"'
    one = f't2i_model_generations_total{{{service},pod="a",model="sdxl",provider="sandbox",status="'
    played = [{"series": f'{one}{status}"}}', "values": f"0+{count}x240"} for status, count in ended.items()]
    played.append({"series": COST, "values": "0+0.08x240"})
    promtool({"tests": [{"interval": "30s", "input_series": played, "promql_expr_test": checks}]})
