"""How fast the error budgets of availability and latency go, over pairs of windows (SRE workbook, chapter 5)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import SERVER_ERROR, SYNCHRONOUS, Scope, bound, either, percent, scope
from t2i_operator.builders.monitoring.rules.rule import Alert, Group, Recording
from t2i_operator.spec.alerts import BurnRate

# kubernetes-mixin's pairs: they spend 2 %, 5 %, 10 % and 10 % of a month's budget.
DEFAULT_BURN_RATES = (
    BurnRate(name="fast", severity="Critical", factor="14.4", long_window="1h", short_window="5m", for_="2m"),
    BurnRate(name="medium", severity="Critical", factor="6", long_window="6h", short_window="30m", for_="15m"),
    BurnRate(name="slow", severity="Warning", factor="3", long_window="24h", short_window="2h", for_="1h"),
    BurnRate(name="creeping", severity="Warning", factor="1", long_window="72h", short_window="6h", for_="3h"),
)
# Longer windows are summed from recorded five minutes: raw counters of days would cost seconds at every evaluation.
_LONGEST_RAW_WINDOW = 3600
_EVENTS, _ERRORS = "t2i:slo_events:increase5m", "t2i:slo_errors:increase5m"
_EVENTS_OF_HOURS, _ERRORS_OF_HOURS = "t2i:slo_events:increase1h", "t2i:slo_errors:increase1h"
_OBJECTIVE, _BURN = "t2i:slo_objective:ratio", "t2i:slo_burn:rate"


class Objective(NamedTuple):
    """One service level objective: `events` are counted, `errors` of them, or all but the `fast` ones, are bad."""

    name: str
    target: str
    events: tuple[str, str]
    errors: tuple[str, str] | None = None
    fast: tuple[str, str] | None = None
    meaning: str = ""


def objectives(resource: spec.TextToImageService) -> tuple[Objective, Objective]:
    """Latency is of generations, synchronous or not; what is not in the threshold's bucket was too slow."""
    slo, seconds = resource.spec.monitoring.alerts.slo, metrics.GENERATION_SECONDS
    return (
        Objective(
            "availability",
            slo.availability,
            (metrics.REQUESTS, SYNCHRONOUS),
            errors=(metrics.REQUESTS, SERVER_ERROR),
            meaning="without 5xx",
        ),
        Objective(
            "latency",
            slo.latency.target,
            (f"{seconds}_count", ""),
            fast=(f"{seconds}_bucket", f'le="{bound(slo.latency.threshold)}"'),
            meaning=f"within {slo.latency.threshold}",
        ),
    )


def groups(resource: spec.TextToImageService) -> Iterator[Group]:
    """Yield them; a history's samples must neither overlap nor leave gaps, so its interval is what each one holds."""
    alerts = resource.spec.monitoring.alerts
    if alerts.slo.mode == "Disabled":
        return
    series, burn_rates, wanted = scope(resource), alerts.burn_rates or DEFAULT_BURN_RATES, objectives(resource)
    windows = sorted({w for pair in burn_rates for w in (pair.long_window, pair.short_window)}, key=spec.seconds)
    events, errors = _events(series, wanted, "5m"), _errors(series, wanted, "5m")
    history = (Recording(record=_EVENTS, expr=events), Recording(record=_ERRORS, expr=errors))
    hours = (
        Recording(record=_EVENTS_OF_HOURS, expr=f"sum_over_time({series.select(_EVENTS)}[1h])"),
        Recording(record=_ERRORS_OF_HOURS, expr=f"sum_over_time({series.select(_ERRORS)}[1h])"),
    )
    targets = either("slo", {each.name: f"vector({each.target})" for each in wanted})
    burns = tuple(_burn(series, wanted, window) for window in windows)
    too_fast = tuple(_burns_too_fast(series, wanted, pair, alerts.minimum_requests) for pair in burn_rates)
    yield Group(name="slo-history", interval="5m", rules=history)
    yield Group(name="slo-hours", interval="1h", rules=hours)
    yield Group(name="slo", rules=(Recording(record=_OBJECTIVE, expr=targets), *burns, *too_fast))
    yield Group(name="slo-budget", interval="2m", rules=(_budget(series, alerts.slo.window_days),))


def _is_raw(window: str) -> bool:
    return spec.seconds(window) <= _LONGEST_RAW_WINDOW


def _events(series: Scope, wanted: Iterable[Objective], window: str) -> str:
    return either("slo", {each.name: series.increase(*each.events, window) for each in wanted})


def _errors(series: Scope, wanted: Iterable[Objective], window: str) -> str:
    return either("slo", {each.name: _errors_of(series, each, window) for each in wanted})


def _errors_of(series: Scope, objective: Objective, window: str) -> str:
    if objective.errors:
        return series.increase_or_zero(*objective.errors, window)
    fast = series.increase(*objective.fast, window) if objective.fast else "0"
    return f"{series.increase(*objective.events, window)} - {fast}"


def _burn(series: Scope, wanted: Iterable[Objective], window: str) -> Recording:
    """Record how many times faster than allowed the error budgets go."""
    if _is_raw(window):
        rates = {each.name: _burn_of(series, each, window) for each in wanted}
        return Recording(record=_BURN, expr=either("slo", rates), labels={"window": window})
    errors, events = (f"sum_over_time({series.select(each)}[{window}])" for each in (_ERRORS, _EVENTS))
    rate = f"{errors} / {events} / (1 - {series.select(_OBJECTIVE)})"
    return Recording(record=_BURN, expr=rate, labels={"window": window})


def _burn_of(series: Scope, objective: Objective, window: str) -> str:
    events, allowed = series.increase(*objective.events, window), f"(1 - {objective.target})"
    if objective.fast:
        return f"(1 - {series.increase(*objective.fast, window)} / {events}) / {allowed}"
    return f"{_errors_of(series, objective, window)} / {events} / {allowed}"


def _budget(series: Scope, days: int) -> Recording:
    """Record what is left of the error budgets: 1 is all of it, below 0 the objective is missed.

    In a service's first hour the five minutes that there are stand for the hours.
    """
    errors, events = (f"sum_over_time({series.select(each)}[{days}d])" for each in (_ERRORS_OF_HOURS, _EVENTS_OF_HOURS))
    first_errors, first_events = (f"sum_over_time({series.select(each)}[1h])" for each in (_ERRORS, _EVENTS))
    share = f"({errors} / {events} or {first_errors} / {first_events})"
    left = f"1 - {share} / (1 - {series.select(_OBJECTIVE)})"
    return Recording(record="t2i:slo_budget:remaining_ratio", expr=left)


def _burns_too_fast(series: Scope, wanted: Sequence[Objective], pair: BurnRate, minimum: int) -> Alert:
    """Guard the long window only: the short one may hold few requests, and whether it matters the long one says."""
    long, short = (series.select(_BURN, f'window="{window}"') for window in (pair.long_window, pair.short_window))
    if _is_raw(pair.long_window):
        events = f"({_events(series, wanted, pair.long_window)})"
    else:
        events = f"sum_over_time({series.select(_EVENTS)}[{pair.long_window}])"
    return Alert(
        alert="TextToImageErrorBudgetBurn",
        expr=f"{long} > {pair.factor}\nand on (slo)\n{short} > {pair.factor}\nand on (slo)\n{events} >= {minimum}",
        for_=pair.for_,
        severity="critical" if pair.severity == "Critical" else "warning",
        summary=f"{series.namespace}/{series.service} spends its {{{{ $labels.slo }}}} error budget too fast",
        description=f"In the last {pair.long_window} the error budget went {{{{ $value | humanize }}}} times as fast as"
        f" {_meanings(wanted)} allows; {pair.factor} times is too fast. The last {pair.short_window} were no better.",
        labels={"burn_rate": pair.name, "window": pair.long_window},
    )


def _meanings(wanted: Sequence[Objective]) -> str:
    """Say what the alert's own objective asks for."""
    first, second = (f"{percent(each.target)} {each.meaning}" for each in wanted)
    return f'{{{{ if eq $labels.slo "{wanted[0].name}" }}}}{first}{{{{ else }}}}{second}{{{{ end }}}}'
