"""How fast the error budgets of availability and latency go, over pairs of windows (SRE workbook, chapter 5)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

import msgspec

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import JUDGED, SERVER_ERROR, Scope, bound, percent, scope
from t2i_operator.builders.monitoring.rules.rule import (
    ALERTS,
    FEWEST_ERRORS,
    HISTORY,
    HOURS,
    TRENDS,
    Alert,
    Part,
    Recording,
)
from t2i_operator.spec.alerts import BurnRate

# kubernetes-mixin's pairs: they spend 2 %, 5 %, 10 % and 10 % of a month's budget.
DEFAULT_BURN_RATES = (
    BurnRate(name="fast", severity="Critical", factor="14.4", long_window="1h", short_window="5m", for_="2m"),
    BurnRate(name="medium", severity="Critical", factor="6", long_window="6h", short_window="30m", for_="15m"),
    BurnRate(name="slow", severity="Warning", factor="3", long_window="24h", short_window="2h", for_="1h"),
    BurnRate(name="creeping", severity="Warning", factor="1", long_window="72h", short_window="6h", for_="3h"),
)
# Not 1, for a few requests always succeed.
_ERRORS_THAT_MUST_ALERT = Decimal("0.9")
# Longer windows are summed from recorded five minutes: raw counters of days would cost seconds at every evaluation.
_LONGEST_RAW_WINDOW, _HALF_AN_HOUR = 3600, 1800
_FIVE_MINUTES, _HOURS, SUM = "t2i:slo:increase5m", "t2i:slo:increase1h", "t2i:slo:increase"
BURN, _BUDGET = "t2i:slo_burn:rate", "t2i:slo_budget:remaining_ratio"
# Both are in one series' name, so that a long window of both is looked up once.
_EVENTS, _ERRORS = {"count": "events"}, {"count": "errors"}


class Objective(NamedTuple):
    """One service level objective: `events` are counted, `errors` of them, or all but the `fast` ones, are bad."""

    name: str
    target: str
    events: tuple[str, str]
    errors: tuple[str, str] | None = None
    fast: tuple[str, str] | None = None
    meaning: str = ""


def objectives(resource: spec.TextToImageService) -> tuple[Objective, Objective]:
    """Count what is answered 202 as well: who asks so and is turned away is an error of that; not who is not let in.

    Latency is of generations that ran, synchronous or not; what is not in the threshold's bucket was too slow.
    """
    slo, seconds = resource.spec.monitoring.alerts.slo, metrics.GENERATION_SECONDS
    return (
        Objective(
            "availability",
            slo.availability,
            (metrics.REQUESTS, JUDGED),
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


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Yield them; a history's samples must neither overlap nor leave gaps, so its interval is what each one holds."""
    alerts = resource.spec.monitoring.alerts
    if alerts.slo.mode == "Disabled":
        return
    series, burn_rates, wanted = scope(resource), alerts.burn_rates or DEFAULT_BURN_RATES, objectives(resource)
    raw, month = _raw_windows(burn_rates), f"{alerts.slo.window_days}d"
    longer = [window for window in _windows(burn_rates) if window not in raw]
    yield Part(HISTORY, (*_counted(series, wanted, "5m", _FIVE_MINUTES),))
    hour = f"sum_over_time({series.select(_FIVE_MINUTES)}[1h])"
    yield Part(HOURS, (Recording(record=_HOURS, expr=hour),))
    yield Part(TRENDS, (*_summed(series, longer, month),))
    now = (rule for window in raw for rule in _counted(series, wanted, window, SUM, {"window": window}))
    pairs = (part for pair in burn_rates for part in _within_reach(pair, wanted, given=bool(alerts.burn_rates)))
    too_fast = (_burns_too_fast(series, held, pair, alerts.minimum_requests) for pair, held in pairs)
    yield Part(ALERTS, (*now, _burn(series, wanted), _budget(series, month, _windows(burn_rates)[-1]), *too_fast))


def _windows(burn_rates: Sequence[BurnRate]) -> list[str]:
    return sorted({w for pair in burn_rates for w in (pair.long_window, pair.short_window)}, key=spec.seconds)


def _raw_windows(burn_rates: Sequence[BurnRate]) -> list[str]:
    """Count anew at each evaluation what alerts within minutes depend on; pairs of hours can wait for the history."""
    urgent = _windows([pair for pair in burn_rates if spec.seconds(pair.long_window) <= _LONGEST_RAW_WINDOW])
    return [w for w in _windows(burn_rates) if w in urgent or spec.seconds(w) < _HALF_AN_HOUR]


def _counted(
    series: Scope, wanted: Iterable[Objective], window: str, record: str, labels: Mapping[str, str] = {}
) -> Iterator[Recording]:
    """Count events and errors of a window, for each objective."""
    for each in wanted:
        own = {"slo": each.name, **labels}
        yield Recording(record=record, expr=series.increase(*each.events, window), labels={**own, **_EVENTS})
        yield Recording(record=record, expr=_errors_of(series, each, window), labels={**own, **_ERRORS})


def _errors_of(series: Scope, objective: Objective, window: str) -> str:
    if objective.errors:
        return series.increase_or_zero(*objective.errors, window)
    fast = series.increase(*objective.fast, window) if objective.fast else "0"
    return f"{series.increase(*objective.events, window)} - {fast}"


def _summed(series: Scope, windows: Iterable[str], month: str) -> Iterator[Recording]:
    """Sum the long windows, each by a rule of its own: Prometheus looks up all of a rule's over the longest."""
    for window, history in {**dict.fromkeys(windows, _FIVE_MINUTES), month: _HOURS}.items():
        yield Recording(
            record=SUM, expr=f"sum_over_time({series.select(history)}[{window}])", labels={"window": window}
        )


def _burn(series: Scope, wanted: Iterable[Objective]) -> Recording:
    """Record how many times faster than allowed the error budgets go, over all windows."""
    rates = (f"{_share_of_errors(series, each)} / (1 - {each.target})" for each in wanted)
    return Recording(record=BURN, expr=" or ".join(rates))


def _share_of_errors(series: Scope, objective: Objective) -> str:
    errors, events = (
        series.select(SUM, f'slo="{objective.name}",count="{each["count"]}"') for each in (_ERRORS, _EVENTS)
    )
    return f"{errors} / ignoring (count) ({events} > 0)"


def _budget(series: Scope, month: str, longest: str) -> Recording:
    """Record what is left of the error budgets: 1 is all of it, below 0 the objective is missed.

    In a service's first hour, when there is none to sum, the longest pair's window stands for the month.
    """
    burns = (series.select(BURN, f'window="{window}"') for window in (month, longest))
    known = " or ".join(f"max by (slo) ({burn})" for burn in burns)
    return Recording(record=_BUDGET, expr=f"1 - ({known})")


def _within_reach(
    pair: BurnRate, wanted: Sequence[Objective], *, given: bool
) -> Iterator[tuple[BurnRate, list[Objective]]]:
    """Yield the pair with the objectives that it holds for; one that promises little has no use for a given factor.

    A default factor it gets lowered, by a rule of its own.
    """
    held: dict[str, list[Objective]] = {}
    for each in wanted:
        if given and Decimal(pair.factor) * (1 - Decimal(each.target)) >= 1:
            continue
        factor = pair.factor if given else _reachable(pair.factor, each.target)
        held.setdefault(factor, []).append(each)
    yield from ((msgspec.structs.replace(pair, factor=factor), objectives) for factor, objectives in held.items())


def _reachable(factor: str, target: str) -> str:
    """Lower a factor to what nine errors in ten burn, at most 0.9 / (1 - target); at 1 a budget lasts as it should."""
    allowed = 1 - Decimal(target)
    if Decimal(factor) * allowed <= _ERRORS_THAT_MUST_ALERT:
        return factor
    return f"{max(_ERRORS_THAT_MUST_ALERT / allowed, Decimal(1)):.4g}"


def _burns_too_fast(series: Scope, held: Sequence[Objective], pair: BurnRate, minimum: int) -> Alert:
    """Guard the long window only: the short one may hold little, and whether it matters the long one says."""
    own = {"slo": held[0].name} if len(held) == 1 else {}
    only = "".join(f',slo="{name}"' for name in own.values())
    long, short = (series.select(BURN, f'window="{window}"{only}') for window in (pair.long_window, pair.short_window))
    burns = (f"{window} > {pair.factor}" for window in (long, short))
    return Alert(
        alert="TextToImageErrorBudgetBurn",
        expr="\nand on (slo)\n".join((*burns, *_enough(series, pair.long_window, minimum))),
        for_=pair.for_,
        severity="critical" if pair.severity == "Critical" else "warning",
        summary=f"{series.namespace}/{series.service} spends its {{{{ $labels.slo }}}} error budget too fast",
        description=f"In the last {pair.long_window} the error budget went {{{{ $value | humanize }}}} times as fast as"
        f" {_meanings(held)} allows; {pair.factor} times is too fast."
        f" The last {pair.short_window} were too fast as well.",
        labels={"burn_rate": pair.name, "window": pair.long_window, **own},
    )


def _enough(series: Scope, window: str, minimum: int) -> list[str]:
    """Ask for errors; they are events too, so that these are asked for only where more of them are wanted."""
    fewest = {"errors": min(minimum, FEWEST_ERRORS)}
    if minimum > FEWEST_ERRORS:
        fewest["events"] = minimum
    held = {count: series.select(SUM, f'window="{window}",count="{count}"') for count in fewest}
    counted = window if spec.seconds(window) <= _LONGEST_RAW_WINDOW else "5m"
    return [f"{held[count]} >= {series.fewest(least, counted)}" for count, least in fewest.items()]


def _meanings(held: Sequence[Objective]) -> str:
    """Say what the alert's own objective asks for."""
    first, *others = (f"{percent(each.target)} {each.meaning}" for each in held)
    if not others:
        return first
    return f'{{{{ if eq $labels.slo "{held[0].name}" }}}}{first}{{{{ else }}}}{others[0]}{{{{ end }}}}'
