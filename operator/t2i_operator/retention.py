"""Whether a Prometheus keeps its samples for as long as the alerts look back: what it has dropped is not counted."""

import re
from collections.abc import Mapping
from typing import Any

from t2i_operator import spec

# The Prometheus Operator's own choice where neither time nor size is given.
_BY_DEFAULT = "24h"
_PART = re.compile(r"(\d+)(ms|[ywdhms])")
_HOURS = {"y": 365 * 24.0, "w": 7 * 24.0, "d": 24.0, "h": 1.0, "m": 1 / 60, "s": 1 / 3600, "ms": 1 / 3600000}
_BUDGET_DAYS = {"Day": 1, "Week": 7, "Month": 30}
_BAND_DAYS = 14
_MARGIN_DAYS = 5


def retention_of(prometheus: Mapping[str, Any]) -> str | None:
    """Return how long one of this spec keeps samples, as 24h; None where that is not decided by a time alone."""
    if prometheus.get("remoteRead") or (prometheus.get("retentionSize") and not prometheus.get("retention")):
        return None
    return prometheus.get("retention") or _BY_DEFAULT


def shortfall(resource: spec.TextToImageService, keeps: str | None) -> str:
    """Say which windows of the alerts are cut to what is kept, and how long would be enough; "" where none is."""
    hours = sum(int(count) * _HOURS[unit] for count, unit in _PART.findall(keeps or ""))
    if not hours:
        return ""
    cut = {words: days for words, days in _windows(resource).items() if days * 24 > hours}
    if not cut:
        return ""
    *others, last = cut
    named = " and ".join(filter(None, [", ".join(others), last]))
    return f"it keeps {keeps}, which cuts {named} short: set its retention to {max(cut.values()) + _MARGIN_DAYS}d"


def _windows(resource: spec.TextToImageService) -> dict[str, int]:
    """Return how many days back the alerts look, by what a person knows them as."""
    alerts = resource.spec.monitoring.alerts
    found: dict[str, int] = {}
    if alerts.slo.mode == "Managed":
        found[f"the objectives' window of {alerts.slo.window_days} days"] = alerts.slo.window_days
    if alerts.budget is not None:
        found[f"the budget's {alerts.budget.period.lower()}"] = _BUDGET_DAYS[alerts.budget.period]
    if alerts.anomalies.mode == "Managed":
        found["the anomaly bands' two weeks"] = _BAND_DAYS
    return found
