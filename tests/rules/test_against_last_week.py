"""What the dashboard *Business* sets beside this week is of seven days before, by Prometheus' own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import content

from tests.e2e.boards import filled_queries

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
OWN = 'namespace="text-to-image",service="text-to-image-service",pod="a"'
REQUESTS = f'http_requests_total{{{OWN},endpoint="/generate",method="POST",status="200"}}'
PICTURES = f't2i_model_generations_total{{{OWN},model="sdxl",provider="sandbox",status="success"}}'
DAYS, QUARTERS_A_DAY = 15, 96
NOON = "14d12h"


def growing() -> str:
    """Count a request a quarter of an hour on the first day, two on the second and so on: no two days are alike."""
    days = (f"{before * QUARTERS_A_DAY}+{day}x{QUARTERS_A_DAY - 1}" for day, before in enumerate(_totals(), start=1))
    return " ".join(days)


def _totals() -> list[int]:
    return [sum(range(1, day)) for day in range(1, DAYS + 1)]


@pytest.mark.parametrize(
    ("title", "legend", "value"),
    [
        pytest.param("Requests, this week and last", "this week", 15 * 4, id="this-week"),
        pytest.param("Requests, this week and last", "last week", 8 * 4, id="last-week"),
        pytest.param("Against last week", "", 93, id="against-last-week"),
        pytest.param("Pictures today", "", 48 * (14 + 15), id="today"),
        pytest.param("Pictures this week", "", 48 * (8 + 15) + 96 * (9 + 10 + 11 + 12 + 13 + 14), id="in-seven-days"),
    ],
)
def test_a_growing_fortnight(promtool: Callable[..., None], title: str, legend: str, value: int) -> None:
    """At noon of the fifteenth day: requests an hour, how many per cent more than a week ago, pictures."""
    shown = content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "business")
    asked = filled_queries("business", shown, window="1h", shown="7d")
    (expr,) = (query.expr for query in asked if query.title == title and legend in query.legend)
    unit = {"Requests, this week and last": 3600, "Against last week": 100}.get(title, 1)
    check = {"expr": f"round({unit} * ({expr}))", "eval_time": NOON, "exp_samples": [{"labels": "{}", "value": value}]}
    played = [{"series": name, "values": growing()} for name in (REQUESTS, PICTURES)]
    promtool({"tests": [{"interval": "15m", "input_series": played, "promql_expr_test": [check]}]})
