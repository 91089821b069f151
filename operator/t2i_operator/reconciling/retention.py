"""Whether a Prometheus keeps its samples for as long as the alerts look back: what it has dropped is not counted."""

import math
import re
from collections.abc import Mapping
from typing import Any

from t2i_operator import spec
from t2i_operator.builders.monitoring.rules.slo import DEFAULT_BURN_RATES

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
    cut = {words: window for words, window in _windows(resource).items() if window > hours}
    if not cut:
        return ""
    *others, last = cut
    named = " and ".join(filter(None, [", ".join(others), last]))
    enough = math.ceil(max(cut.values()) / 24) + _MARGIN_DAYS
    return f"it keeps {keeps}, which cuts {named} short: set its retention to {enough}d"


def _windows(resource: spec.TextToImageService) -> dict[str, float]:
    """Return how many hours back the alerts look, by what a person knows them as."""
    alerts = resource.spec.monitoring.alerts
    found: dict[str, float] = {}
    if alerts.slo.mode == "Managed":
        longest = max((pair.long_window for pair in alerts.burn_rates or DEFAULT_BURN_RATES), key=spec.seconds)
        found[f"the objectives' window of {alerts.slo.window_days} days"] = alerts.slo.window_days * 24
        found[f"the longest window of burnRates ({longest})"] = float(spec.seconds(longest)) / 3600
    if alerts.budget is not None:
        found[f"the budget's {alerts.budget.period.lower()}"] = _BUDGET_DAYS[alerts.budget.period] * 24
    if alerts.anomalies.mode == "Managed":
        found["the anomaly bands' two weeks"] = _BAND_DAYS * 24
    return found
