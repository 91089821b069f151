"""How many errors a burn rate takes, of how many requests: three of `minimumRequests`, or as many if that is less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

POST = 'namespace="text-to-image",service="text-to-image-service",endpoint="/generate",method="POST",pod="a"'


def failed(errors: int, requests: int, *, fires: bool, good: str = "200") -> dict[str, Any]:
    """Return promtool's tests: so many of these requests are answered 502, all between two scrapes."""
    counts = {good: requests - errors, "502": errors}
    alert = 'ALERTS{alertname="TextToImageErrorBudgetBurn",alertstate="firing",burn_rate="fast"}'
    test = {
        "interval": "30s",
        "input_series": [
            {"series": f'http_requests_total{{{POST},status="{status}"}}', "values": f"0 {count}+0x20"}
            for status, count in counts.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"count by (slo) ({alert})",
                "eval_time": "4m",
                "exp_samples": [{"labels": '{slo="availability"}', "value": 1}] if fires else [],
            }
        ],
    }
    return {"rule_files": ["alerts.yaml"], "evaluation_interval": "30s", "tests": [test]}


@pytest.mark.parametrize(
    ("minimum", "errors", "requests", "fires"),
    [
        pytest.param(1, 1, 6, True, id="the-first-where-one-request-counts"),
        pytest.param(2, 2, 6, True, id="as-many-as-the-requests-that-count"),
        pytest.param(2, 1, 6, False, id="fewer-than-the-requests-that-count"),
        pytest.param(5, 4, 4, False, id="all-of-too-few-requests"),
        pytest.param(5, 3, 5, True, id="three-of-five"),
        pytest.param(5, 4, 8, True, id="half-of-eight"),
        pytest.param(5, 2, 5, False, id="two-may-be-chance"),
        pytest.param(50, 10, 49, False, id="enough-of-too-few-requests"),
        pytest.param(50, 10, 50, True, id="enough-of-enough-requests"),
    ],
)
def test_errors_count_as_requests_do_up_to_three(
    promtool: Callable[..., None], minimum: int, errors: int, requests: int, *, fires: bool
) -> None:
    promtool(failed(errors, requests, fires=fires), minimumRequests=minimum)


def test_of_many_requests_three_errors_are_enough(promtool: Callable[..., None]) -> None:
    """An objective of 0.999 burns 20 times too fast by ten errors of five hundred: no fifty are asked for."""
    promtool(failed(10, 500, fires=True), minimumRequests=50, slo={"availability": "0.999"})
    promtool(failed(2, 100, fires=False), minimumRequests=50, slo={"availability": "0.999"})


def test_asynchronous_requests_are_events_as_well(promtool: Callable[..., None]) -> None:
    """Those turned away are errors: a service that is hardly asked otherwise would burn by six of twelve hundred."""
    promtool(failed(6, 1206, fires=False, good="202"))
    promtool(failed(240, 1206, fires=True, good="202"))
