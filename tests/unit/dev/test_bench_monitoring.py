"""What the benchmark of monitoring feeds to Prometheus is what a service exposes, and asks what Grafana asks."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule

from dev.bench.dashboards import HELD, RANGE, queries
from dev.bench.exposition import Sample, continued, minutes_at, read
from dev.bench.made_by_rules import label_sets, resource
from dev.bench.operator_metrics import of_operator
from dev.bench.series import Extent, recorded

EXPOSED = """\
# HELP http_requests Requests.
# TYPE http_requests counter
http_requests_total{method="POST",endpoint="/generate",status="200"} 3.0 # {trace_id="a"} 1.0 1700000000.0
# TYPE active_requests gauge
active_requests 2.0
# TYPE image_generation_duration_seconds histogram
image_generation_duration_seconds_bucket{le="+Inf"} 1.0
image_generation_duration_seconds_created 1.7e+09
# EOF
"""


def test_an_exposition_is_read_without_its_exemplars() -> None:
    assert read(EXPOSED) == [
        Sample("http_requests_total", 'method="POST",endpoint="/generate",status="200"', 3, counts=True),
        Sample("active_requests", "", 2, counts=False),
        Sample("image_generation_duration_seconds_bucket", 'le="+Inf"', 1, counts=True),
        Sample("image_generation_duration_seconds_created", "", 1.7e9, counts=False),
    ]


def test_a_counter_never_goes_back_and_history_meets_what_is_scraped() -> None:
    begin = 1_790_000_000
    (text,) = continued([Sample("a_total", "", 3, counts=True)], 'pod="a"', begin, begin + 86400, 60)
    values = [float(line.split()[1]) for line in text.splitlines()]
    assert all(one <= other for one, other in pairwise(values))
    assert values[0] == Sample("a_total", "", 3, counts=True).at(minutes_at(begin))


def test_every_query_of_every_dashboard_is_asked_with_its_variables_filled_in() -> None:
    asked = list(queries())
    assert {query.dashboard for query in asked} == {"overview", "models", "business", "traces", "operator"}
    assert not [query.expr for query in asked if "$" in query.expr]
    assert {query.step for query in asked if not query.instant} <= {300, 600, 1200, 1800}
    assert any(f"[{RANGE}s]" in query.expr for query in asked)


def test_blocks_hold_all_that_a_dashboard_looks_back_on() -> None:
    """The weeks and days of a query, whether they are a window or an offset, lie before the first moment shown."""
    seconds = {"d": 86400, "w": 7 * 86400}
    asked = [re.findall(r"(?:\[|offset )(\d+)([dw])", query.expr) for query in queries() if not query.instant]
    back = [sum(int(number) * seconds[unit] for number, unit in found) for found in asked]
    assert max(back) >= RANGE
    assert RANGE + max(back) <= HELD


def test_the_operator_s_series_are_those_that_its_dashboard_asks_for() -> None:
    exposed = {sample.name for sample in of_operator()}
    asked = {
        name
        for query in queries()
        if query.dashboard == "operator"
        for name in re.findall(r"\b(?:t2i_operator|process)_\w+", query.expr)
    }
    assert "t2i_operator_reconciles_total" in asked
    assert asked <= exposed


@pytest.mark.parametrize(("currencies", "more"), [(1, 0), (3, 20)])
def test_series_made_by_rules_are_counted_by_currency(currencies: int, more: int) -> None:
    """Signal, hour, high, deviation and upper have one for each currency, usual has three, and varied two."""
    groups = prometheus_rule(resource(0))["spec"]["groups"]
    assert recorded(groups, Extent(currencies=currencies))["recorded"] == 101 + more
    labels = [
        tuple(sorted(each.items()))
        for group in groups
        for rule in group["rules"]
        if "record" in rule
        for each in label_sets({**rule, "labels": {**rule["labels"], "__name__": rule["record"]}})
    ]
    assert len(set(labels)) == len(labels)
