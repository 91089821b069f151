"""What a dashboard's numbers say of what nobody asks, is young or is gone, by Prometheus' own evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import content

from dashboards.catalog import rendered
from tests.e2e.boards import filled_queries

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
OWN = 'namespace="text-to-image",service="text-to-image-service"'
UP = f"up{{{OWN}"
POST = f'http_requests_total{{{OWN},pod="a",endpoint="/generate",method="POST",status="'
ENDED = f'image_generation_total{{{OWN},pod="a",status="'
LASTED = f'http_request_duration_seconds_bucket{{{OWN},pod="a",endpoint="/generate",le="'


@pytest.fixture
def numbers() -> dict[str, str]:
    """Give the query of each number of the Overview, by its title."""
    return numbers_of(json.loads(content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "overview")))


def numbers_of(shown: dict[str, Any], *, hours: int = 1, **chosen: str) -> dict[str, str]:
    """Fill the variables in as for an hour that is shown, or more."""
    asked = shown | {"panels": [panel for panel in shown["panels"] if panel["type"] == "stat"]}
    queries = filled_queries("any", json.dumps(asked), window="2m", shown=f"{hours}h", **chosen)
    return {query.title: query.expr for query in queries}


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


@pytest.mark.parametrize(
    ("pods", "answering", "uptime"),
    [
        pytest.param({"a": "1x240"}, 1, 1.0, id="one, always"),
        pytest.param({"a": "1x240", "b": "0x240"}, 1, 1.0, id="one of two"),
        pytest.param({"a": "0x240"}, 0, 0.0, id="one that does not answer"),
        pytest.param({"a": "_x200 1x40"}, 1, 1.0, id="young"),
        pytest.param({"a": "_x162 0x19 1x59"}, 1, 0.75, id="young, and slow to start"),
        pytest.param({"a": "_x162 1x59 stale"}, 0, 0.75, id="gone for ten minutes of forty"),
        pytest.param({"a": "_x162 1x19 stale _x39 1x18"}, 1, 0.5, id="gone for twenty minutes, and back"),
        pytest.param({"a": "1x60 stale"}, 0, None, id="gone for longer than is shown"),
        pytest.param({}, 0, None, id="never there"),
    ],
)
def test_a_service_that_is_gone_is_not_up(
    promtool: Callable[..., None],
    numbers: dict[str, str],
    pods: dict[str, str],
    answering: float,
    uptime: float | None,
) -> None:
    series = {f'{UP},pod="{pod}"}}': values for pod, values in pods.items()}
    another = {'up{namespace="text-to-image",service="other-service",pod="a"}': "1x240"}
    promtool(say(series | another, numbers, {"Pods answering": answering, "Uptime": uptime}))


def test_an_hour_without_prometheus_is_no_uptime(promtool: Callable[..., None]) -> None:
    """Nobody knows of it, and the panel says so; only what the last scrape tells holds for five minutes more."""
    overview = json.loads(content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "overview"))
    seen_before, seen_again = 20 + 5, 40
    away = {
        f'{UP},pod="a"}}': "_ 1x40 _x120 1x78",
        'up{namespace="other",service="other-service"}': "_ 1x40 _x120 1x78",
    }
    said = {"Pods answering": 1, "Uptime": (seen_before + seen_again) / 120}
    promtool(say(away, numbers_of(overview, hours=2), said))


def test_an_operator_that_is_gone_does_not_lead(promtool: Callable[..., None]) -> None:
    """Nothing at all would be in no colour; nor does another class's, in a namespace of its own, stand in for it."""
    ready = 'job="text-to-image-operator",condition="Ready",status="True"'
    series = {
        't2i_operator_leader{job="text-to-image-operator",namespace="its-own",pod="a"}': "1x240",
        't2i_operator_leader{job="text-to-image-operator",namespace="its-own",pod="b"}': "0x240",
        't2i_operator_leader{job="text-to-image-operator",namespace="gone",pod="c"}': "1x60 stale",
        f't2i_operator_resources{{{ready},namespace="its-own",pod="a"}}': "7x240",
        f't2i_operator_resources{{{ready},namespace="gone",pod="c"}}': "5x60 stale",
    }
    for namespace, leading, resources in (("its-own", 1, 7), ("gone", 0, 0)):
        shown = numbers_of(json.loads(rendered()["operator"]), namespace=namespace)
        promtool(say(series, shown, {"Leading": leading, "Ready": resources}))


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


def test_an_asynchronous_request_that_is_taken_is_available(
    promtool: Callable[..., None], numbers: dict[str, str]
) -> None:
    """Who is turned away instead is one of them, not one of those that waited, of whom there were none."""
    asked = {f'{POST}202"}}': "0+9x240", f'{POST}503"}}': "0+1x240"}
    promtool(say(asked, numbers, {"Availability": 0.9}))


def test_who_is_not_let_in_is_no_availability(promtool: Callable[..., None], numbers: dict[str, str]) -> None:
    asked = {f'{POST}{status}"}}': f"0+{step}x240" for status, step in {200: 9, 503: 1, 401: 90, 429: 90}.items()}
    promtool(say(asked, numbers, {"Availability": 0.9}))
