"""What the Overview's numbers say of a service that nobody asks, by Prometheus itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import content

from tests.e2e.boards import filled_queries

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
OWN = 'namespace="text-to-image",service="text-to-image-service"'
POST = f'http_requests_total{{{OWN},pod="a",endpoint="/generate",method="POST",status="'
ENDED = f'image_generation_total{{{OWN},pod="a",status="'
LASTED = f'http_request_duration_seconds_bucket{{{OWN},pod="a",endpoint="/generate",le="'


@pytest.fixture
def numbers() -> dict[str, str]:
    """Give the query of each number for an hour that is shown, by its title."""
    shown = content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "overview")
    shown["panels"] = [panel for panel in shown["panels"] if panel["type"] == "stat"]
    asked = filled_queries("overview", json.dumps(shown), window="2m", shown="1h")
    return {query.title: query.expr for query in asked}


def say(series: dict[str, str], numbers: dict[str, str], said: dict[str, float | None]) -> dict[str, Any]:
    """Return promtool's test of what is said after two hours, by scrapes each half minute; None: nothing."""
    checks = [
        {"expr": numbers[title], "eval_time": "2h", "exp_samples": [] if value is None else [_sample(value)]}
        for title, value in said.items()
    ]
    played = [{"series": name, "values": values} for name, values in series.items()]
    return {"tests": [{"interval": "30s", "input_series": played, "promql_expr_test": checks}]}


def _sample(value: float) -> dict[str, Any]:
    return {"labels": "{}", "value": value}


def counters(good: int, bad: int) -> dict[str, str]:
    """Count so many requests a scrape, each of which lasts less than a second."""
    ended = {f'{POST}200"}}': good, f'{POST}503"}}': bad, f'{ENDED}success"}}': good, f'{ENDED}error"}}': bad}
    lasted = {f'{LASTED}{bound}"}}': good + bad for bound in ("1.0", "+Inf")}
    return {name: f"0+{step}x240" for name, step in (ended | lasted).items()}


@pytest.mark.parametrize(
    ("series", "share", "seconds"),
    [
        pytest.param(counters(9, 1), 0.9, 0.95, id="asked"),
        pytest.param(counters(0, 10), 0.0, 0.95, id="asked in vain"),
        pytest.param(counters(0, 0), None, None, id="not asked yet"),
        pytest.param({}, None, None, id="not scraped yet"),
    ],
)
def test_nothing_is_said_of_no_requests(
    promtool: Callable[..., None],
    numbers: dict[str, str],
    series: dict[str, str],
    share: float | None,
    seconds: float | None,
) -> None:
    """A share of none would be shown, in red."""
    said = {"Availability": share, "Generation success": share, "Response time": seconds}
    promtool(say(series, numbers, said))
