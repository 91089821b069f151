"""Bands around the service's own history: the same hour of yesterday, of last week and of the week before.

The same hour of a day knows the daily peak, and last week knows the silent weekend and the Monday after it. Nothing is
judged before there is a week of history.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import GENERATION, SERVER_ERROR, SYNCHRONOUS, Scope, either, scope
from t2i_operator.builders.monitoring.rules.rule import HOURS, TRENDS, Alert, Part, Recording, Topic

SIGNAL, HOUR, USUAL, HIGH = "t2i:signal", "t2i:signal:mean1h", "t2i:signal:usual", "t2i:signal:high"
VARIED, DEVIATION, UPPER, LOWER = (f"t2i:signal:{name}" for name in ("varied", "deviation", "upper", "lower"))
_WINDOW = "30m"
# Each names the hour that ends half an hour after the moment it looks back to.
_REFERENCES = {"1d": "23h30m", "1w": "6d23h30m", "2w": "13d23h30m"}
# A quiet hour hardly varies; a band narrower than this share of the week's mean would alert on every request.
_SHARE_OF_MEAN = "0.2"
_LEAST_ERROR_DEVIATION = "0.01"
_REQUESTS, _ERRORS, _COST, _NO_COST = 'signal="requests"', 'signal="errors"', 'signal="cost"', 'signal!="cost"'


class Signal(NamedTuple):
    """What is watched, and the words for it."""

    name: str
    expr: str
    value: str
    noun: str


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Yield the recording rules that learn, and the alerts that compare."""
    alerts = resource.spec.monitoring.alerts
    if alerts.anomalies.mode == "Disabled":
        return
    series, minimum = scope(resource), alerts.minimum_requests
    *far, cost = _signals(series, minimum)
    # Rules of a group are evaluated in turn, so the others need not count requests again.
    learnt = (Recording(record=SIGNAL, expr=each.expr, labels={"signal": each.name}) for each in (*far, cost))
    dearer = _exceeds(series, _COST, minimum)
    above = (
        _far_above(series, far, minimum),
        _above(series, (cost,), dearer, "business"),
    )
    hour = Recording(record=HOUR, expr=f"avg_over_time({series.select(SIGNAL)}[1h])")
    yield Part(HOURS, (hour,))
    yield Part(TRENDS, (*learnt, *_bands(series, alerts.anomalies.deviations), *above, _below(series)))


def _signals(series: Scope, minimum: int) -> tuple[Signal, ...]:
    requests = series.increase(metrics.REQUESTS, SYNCHRONOUS, _WINDOW)
    cost = f"sum by (currency) (increase({series.select(metrics.COST)}[{_WINDOW}]))"
    buckets = f"sum by (le) (rate({series.select(f'{metrics.REQUEST_SECONDS}_bucket', GENERATION)}[{_WINDOW}]))"
    failing = f"{series.increase_or_zero(metrics.REQUESTS, SERVER_ERROR, _WINDOW)} / on () ({_busy(series, minimum)})"
    # Of what ran: where all is refused the percentile is NaN, and one NaN makes a week's mean NaN.
    ran = series.increase(f"{metrics.REQUEST_SECONDS}_count", GENERATION, _WINDOW)
    slowest = f"histogram_quantile(0.95, {buckets}) and {ran} >= {minimum}"
    return (
        Signal("requests", requests, '{{ $value | printf "%.0f" }}', "Requests"),
        Signal("latency", slowest, "{{ $value | humanizeDuration }}", "The 95th percentile latency"),
        Signal("errors", failing, "{{ $value | humanizePercentage }}", "The error rate"),
        Signal("cost", cost, '{{ $value | printf "%.2f" }} {{ $labels.currency }}', "Cost"),
    )


def _busy(series: Scope, minimum: int) -> str:
    return f"{series.select(SIGNAL, _REQUESTS)} >= {minimum}"


def _bands(series: Scope, deviations: str) -> Iterator[Recording]:
    """Learn means once, then make the band's ends of them; only of requests can there be too few."""
    last_week = series.select(USUAL, 'reference="1w"')
    week_ago = f"and ignoring (reference) {last_week}"
    high = f"max without (reference) ({series.select(USUAL)}) {week_ago}"
    low = f"min without (reference) ({series.select(USUAL, _REQUESTS)}) {week_ago}"
    margin = f"{deviations} * {series.select(DEVIATION)}"
    yield from _history(series)
    yield Recording(record=HIGH, expr=high)
    yield Recording(record=DEVIATION, expr=_deviation(series))
    yield Recording(record=UPPER, expr=f"{series.select(HIGH)} + {margin}")
    yield Recording(record=LOWER, expr=f"clamp_min(({low}) - {margin}, 0)")


def _history(series: Scope) -> Iterator[Recording]:
    """Look far back by rules of their own: what else were in a rule would be looked up over all the weeks too."""
    for name, offset in _REFERENCES.items():
        hour, labels = f"{series.select(SIGNAL)}[1h] offset {offset}", {"reference": name}
        yield Recording(record=USUAL, expr=f"avg_over_time({hour})", labels=labels)
        yield Recording(record=VARIED, expr=f"stddev_over_time({hour})", labels=labels)
    share = f"{_SHARE_OF_MEAN} * avg_over_time({series.select(HOUR)}[1w])"
    yield Recording(record=VARIED, expr=share, labels={"reference": "mean"})


def _deviation(series: Scope) -> str:
    """Take the widest: how those hours varied, a share of the week's mean, what chance does to so few requests."""
    high, errors = series.select(HIGH), series.select(HIGH, _ERRORS)
    others = {
        "chance": f"{high} / on (namespace, service) group_left () sqrt({series.select(HIGH, _REQUESTS)} > 0)",
        "least": f"{errors} * 0 + {_LEAST_ERROR_DEVIATION}",
    }
    widest = f"{series.select(VARIED)} or {either('reference', others)}"
    return f"max without (reference) ({widest}) and {high}"


def _far_above(series: Scope, signals: Sequence[Signal], minimum: int) -> Alert:
    """Let one rule watch several signals; errors count from the fifth error on, not from the fifth request."""
    rate, requests = series.select(SIGNAL, _ERRORS), series.select(SIGNAL, _REQUESTS)
    few = f"{rate} unless on () round({rate} * on () {requests}) >= {minimum}"
    return _above(series, signals, f"{_exceeds(series, _NO_COST, minimum)}\nunless\n({few})")


def _exceeds(series: Scope, signals: str, minimum: int) -> str:
    return f"{series.select(SIGNAL)} > {series.select(UPPER, signals)}\nand on ()\n{_busy(series, minimum)}"


def _above(series: Scope, signals: Sequence[Signal], expr: str, topic: Topic = "overview") -> Alert:
    noun, value = _by_signal(signals, "noun"), _by_signal(signals, "value")
    return Alert(
        alert="TextToImageAnomaly",
        expr=expr,
        for_="10m",
        severity="warning",
        summary=f"{noun} of {series.namespace}/{series.service}: far more than usual",
        description=f"{noun} of the last {_WINDOW}: {value}, above anything usual at this hour of the day and the"
        " week.",
        topic=topic,
        labels={"direction": "above", **({"signal": signals[0].name} if len(signals) == 1 else {})},
    )


def _by_signal(signals: Sequence[Signal], field: str) -> str:
    """Choose the words by the alert's own label."""
    *others, last = ((each.name, getattr(each, field)) for each in signals)
    if not others:
        return str(last[1])
    chosen = "else ".join(f'if eq $labels.signal "{name}" }}}}{words}{{{{ ' for name, words in others)
    return f"{{{{ {chosen}else }}}}{last[1]}{{{{ end }}}}"


def _below(series: Scope) -> Alert:
    return Alert(
        alert="TextToImageAnomaly",
        expr=f"{series.select(SIGNAL, _REQUESTS)} < {series.select(LOWER)}",
        for_="10m",
        severity="warning",
        summary=f"Requests to {series.namespace}/{series.service}: far fewer than usual",
        description=f'{{{{ $value | printf "%.0f" }}}} requests in the last {_WINDOW}, fewer than usual at this hour'
        " of the day and the week: something may keep callers away.",
        labels={"signal": "requests", "direction": "below"},
    )
