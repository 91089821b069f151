"""How long a Prometheus keeps samples, and which of the alerts' windows that cuts short."""

from typing import Any

import pytest
from t2i_operator.reconciling.retention import retention_of, shortfall

from tests.unit.operator.resources import resource

MONTH = {"budget": {"amount": "50", "period": "Month"}}


def said(keeps: str | None, **alerts: Any) -> str:
    return shortfall(resource(monitoring={"alerts": alerts}), keeps)


@pytest.mark.parametrize(
    ("fields", "keeps"),
    [
        ({}, "24h"),
        ({"retention": ""}, "24h"),
        ({"retention": "10d"}, "10d"),
        ({"retention": "10d", "retentionSize": "9GB"}, "10d"),
        ({"retentionSize": "9GB"}, None),
        ({"retention": "10d", "remoteRead": [{"url": "https://long.example.com"}]}, None),
    ],
    ids=["default", "empty", "time", "time and size", "size", "kept elsewhere"],
)
def test_what_is_kept_is_as_the_prometheus_operator_has_it(fields: dict[str, Any], keeps: str | None) -> None:
    assert retention_of(fields) == keeps


@pytest.mark.parametrize("keeps", ["30d", "35d", "720h", "1y", "4w2d", None, "0"])
def test_enough_is_not_remarked_on(keeps: str | None) -> None:
    assert said(keeps, **MONTH) == ""


@pytest.mark.parametrize("keeps", ["29d23h", "719h59m59s999ms", "4w1d", "43199m"])
def test_a_moment_less_is_too_little(keeps: str) -> None:
    assert said(keeps).startswith(f"it keeps {keeps}, which cuts the objectives' window of 30 days short: ")


def test_every_window_that_is_cut_is_named() -> None:
    assert said("24h", **MONTH) == (
        "it keeps 24h, which cuts the objectives' window of 30 days, the longest window of burnRates (72h), the"
        " budget's month and the anomaly bands' two weeks short: set its retention to 35d"
    )
    assert "90 days" in said("35d", slo={"windowDays": 90})
    assert said("35d", slo={"windowDays": 90}).endswith("set its retention to 95d")
    assert "budget" not in said("24h", budget={"amount": "50", "period": "Day"})
    assert "the budget's week" in said("24h", budget={"amount": "50", "period": "Week"})


def test_the_longest_burn_rate_may_be_longer_than_the_objectives_window() -> None:
    day: dict[str, Any] = {"slo": {"windowDays": 1}, "anomalies": {"mode": "Disabled"}}
    assert said("71h", **day) == (
        "it keeps 71h, which cuts the longest window of burnRates (72h) short: set its retention to 8d"
    )
    assert said("72h", **day) == ""
    pair = {"name": "slow", "severity": "Warning", "factor": "1", "longWindow": "25h", "shortWindow": "2h"}
    assert said("24h", **day, burnRates=[pair]).endswith("burnRates (25h) short: set its retention to 7d")
    assert said("25h", **day, burnRates=[pair]) == ""


def test_what_is_off_looks_back_on_nothing() -> None:
    assert said("24h", slo={"mode": "Disabled"}, anomalies={"mode": "Disabled"}) == ""
