"""What generations cost, against the budget."""

from collections.abc import Iterator

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import Scope, scope
from t2i_operator.builders.monitoring.rules.rule import HISTORY, HOURS, TRENDS, Alert, Part, Recording
from t2i_operator.spec.alerts import Budget

# A period, and in what steps it is recorded.
PERIODS = {"Day": ("1d", HISTORY), "Week": ("1w", HOURS), "Month": ("30d", HOURS)}


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Yield what records, at the pace of a step, and what alerts, often enough for Alertmanager to keep it."""
    budget = resource.spec.monitoring.alerts.budget
    if budget is None:
        return
    recording, alert = _rules(scope(resource), budget)
    yield Part(PERIODS[budget.period][1], (recording,))
    yield Part(TRENDS, (alert,))


def _rules(series: Scope, budget: Budget) -> tuple[Recording, Alert]:
    """Sum disjoint steps: a month of them is read in a moment, and restarted pods keep their share."""
    currency = f'currency="{budget.currency}"'
    period, pace = PERIODS[budget.period]
    step = pace.interval or ""
    record = f"t2i:cost:increase{step}"
    recorded = series.select(record, currency)
    return (
        Recording(
            record=record,
            expr=series.increase_or_zero(metrics.COST, currency, step),
            labels={"currency": budget.currency},
        ),
        Alert(
            alert="TextToImageCostAboveBudget",
            expr=f"sum_over_time({recorded}[{period}]) > {budget.amount}",
            severity="warning",
            summary=f"{series.namespace}/{series.service} costs more than its budget",
            description=f'Generations of the last {period} cost {{{{ $value | printf "%.2f" }}}} {budget.currency};'
            f" the budget is {budget.amount} {budget.currency}.",
            topic="business",
        ),
    )
