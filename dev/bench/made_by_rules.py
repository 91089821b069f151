"""The service whose rules are measured, and the series that its recording rules make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2i_operator import spec
from t2i_operator.builders.monitoring.rules import anomaly

if TYPE_CHECKING:
    from collections.abc import Iterator

OBJECTIVES = ("availability", "latency")
REFERENCES = ("1d", "1w", "2w")


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
    if record.startswith("t2i:slo_"):
        added = [{"slo": objective} for objective in OBJECTIVES]
    elif record == anomaly.SIGNAL:
        added = [{}] if "signal" in own else signals[1:]
    elif record == anomaly.USUAL:
        added = [{**signal, "reference": reference} for signal in signals for reference in REFERENCES]
    elif record in {anomaly.HOUR, anomaly.HIGH, anomaly.DEVIATION, anomaly.UPPER}:
        added = signals
    else:
        added = [signals[0]] if record == anomaly.LOWER else [{}]
    yield from (own | each for each in added)
