"""The service whose rules are measured, and the series that its recording rules make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2i_operator import spec
from t2i_operator.builders.monitoring.rules import anomaly, slo

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECTIVES = ("availability", "latency")
COUNTS = [{"count": "events"}, {"count": "errors"}]
WINDOWS = [
    {"window": each}
    for each in sorted({"30d", *(w for pair in slo.DEFAULT_BURN_RATES for w in (pair.long_window, pair.short_window))})
]


def resource(number: int) -> spec.TextToImageService:
    """Return a service with every kind of rule: its own name and namespace, a budget, the rest default."""
    return spec.parse(
        {
            "metadata": {"name": f"pictures-{number:03}", "namespace": f"studio-{number:03}", "uid": str(number)},
            "spec": {
                "models": [{"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.01"}}],
                "monitoring": {"alerts": {"budget": {"amount": "100000", "period": "Month"}}},
            },
        }
    )


def label_sets(rule: dict[str, Any], currencies: tuple[str, ...] = ("USD",)) -> Iterator[dict[str, str]]:
    """Yield the labels of each series that a recording rule makes."""
    own, record = rule["labels"], rule["record"]
    costs = [{"signal": "cost", "currency": currency} for currency in currencies]
    signals = [*({"signal": name} for name in ("requests", "latency", "errors")), *costs]
    if record.startswith("t2i:slo"):
        objectives = (own["slo"],) if "slo" in own else OBJECTIVES
        added = [{"slo": objective} | each for objective in objectives for each in _of_objective(rule)]
    elif "signal" in own:
        added = costs if own["signal"] == "cost" else [{}]
    elif record in {anomaly.HOUR, anomaly.USUAL, anomaly.VARIED, anomaly.HIGH, anomaly.DEVIATION, anomaly.UPPER}:
        added = signals
    else:
        added = [signals[0]] if record == anomaly.LOWER else [{}]
    yield from (own | each for each in added)


def _of_objective(rule: dict[str, Any]) -> list[dict[str, str]]:
    """Return the labels beside the objective's: those that the rule does not add, but gets from what it reads."""
    counts = [{}] if "count" in rule["labels"] or not rule["record"].startswith("t2i:slo:") else COUNTS
    windows = WINDOWS if rule["record"] == slo.BURN else [{}]
    return [count | window for count in counts for window in windows]
