"""Bands around the service's own history: the same hour of the same weekday, a week ago and two.

It knows the daily peak, the silent weekend and the Monday after it; yesterday knows neither, and an odd one would blind
today. Nothing is judged before there is a week of history.
"""

from collections.abc import Iterator
from typing import NamedTuple

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import ENDED, FAILED, GENERATION, Scope, scope
from t2i_operator.builders.monitoring.rules.availability import is_stopped
from t2i_operator.builders.monitoring.rules.rule import FEWEST_ERRORS, HOURS, TRENDS, Alert, Part, Recording, Topic

SIGNAL, HOUR, USUAL, HIGH = "t2i:signal", "t2i:signal:mean1h", "t2i:signal:usual", "t2i:signal:high"
VARIED, DEVIATION, UPPER, LOWER = (f"t2i:signal:{name}" for name in ("varied", "deviation", "upper", "lower"))
_WINDOW = "30m"
# Each names the hour that ends half an hour after the moment it looks back to.
_REFERENCES = {"1w": "6d23h30m", "2w": "13d23h30m"}
_WEEKS, _MEAN = f'reference=~"{"|".join(_REFERENCES)}"', 'reference="mean"'
# A quiet hour hardly varies; a band narrower than this share of the week's mean would alert on every request.
_SHARE_OF_MEAN = "0.2"
_LEAST_ERROR_DEVIATION = "0.01"
_REQUESTS = 'signal="requests"'
# A silent hour has neither, so that it has nothing to compare the next rush with.
_OF_ANSWERS = 'signal=~"latency|errors"'


class Signal(NamedTuple):
    """What is watched, the words for it, and what else must hold before too much of it is told."""

    name: str
    expr: str
    value: str
    noun: str
    guard: str
    topic: Topic = "overview"


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Yield the recording rules that learn, and the alerts that compare."""
    alerts = resource.spec.monitoring.alerts
    if alerts.anomalies.mode == "Disabled":
        return
    series = scope(resource)
    signals = _signals(series, alerts.minimum_requests)
    # Rules of a group are evaluated in turn, so the others need not count requests again.
    learnt = (Recording(record=SIGNAL, expr=each.expr, labels={"signal": each.name}) for each in signals)
    above = (_above(series, each) for each in signals)
    below = () if is_stopped(resource) else (_below(series),)
    hour = Recording(record=HOUR, expr=f"avg_over_time({series.select(SIGNAL)}[1h])")
    yield Part(HOURS, (hour,))
    yield Part(TRENDS, (*learnt, *_bands(series, alerts.anomalies.deviations), *above, *below))


def _signals(series: Scope, minimum: int) -> tuple[Signal, ...]:
    """Count what is answered 202 as well: a service may be asked in no other way.

    Its answers tell nothing of how a generation ended, so that errors are those of generations.
    """
    fewest = series.fewest(minimum, _WINDOW)
    requests = series.increase(metrics.REQUESTS, GENERATION, _WINDOW)
    cost = f"sum by (currency) (increase({series.select(metrics.COST)}[{_WINDOW}]))"
    buckets = f"sum by (le) (rate({series.select(f'{metrics.REQUEST_SECONDS}_bucket', GENERATION)}[{_WINDOW}]))"
    ended, failed = (series.increase(metrics.GENERATIONS, status, _WINDOW) for status in (ENDED, FAILED))
    # Of what ran: where all is refused the percentile is NaN, and one NaN makes a week's mean NaN.
    ran = series.increase(f"{metrics.REQUEST_SECONDS}_count", GENERATION, _WINDOW)
    slowest = f"histogram_quantile(0.95, {buckets}) and {ran} >= {fewest}"
    busy = f"and on ()\n{series.select(SIGNAL, _REQUESTS)} >= {fewest}"
    # That several generations ended is in the signal itself.
    several = f"and on ()\n{failed} >= {series.fewest(min(minimum, FEWEST_ERRORS), _WINDOW)}"
    return (
        Signal("requests", requests, '{{ $value | printf "%.0f" }}', "Requests", busy),
        Signal("latency", slowest, "{{ $value | humanizeDuration }}", "The 95th percentile latency", busy),
        Signal(
            "errors",
            f"{failed} / ({ended} >= {fewest})",
            "{{ $value | humanizePercentage }}",
            "The share of failed generations",
            several,
        ),
        Signal("cost", cost, '{{ $value | printf "%.2f" }} {{ $labels.currency }}', "Cost", busy, "business"),
    )


def _bands(series: Scope, deviations: str) -> Iterator[Recording]:
    """Learn means once, then make the band's ends of them; only of requests can there be too few."""
    low = f"min without (reference) ({series.select(USUAL, f'{_REQUESTS},{_WEEKS}')})"
    margin = f"{deviations} * {series.select(DEVIATION)}"
    yield from _history(series)
    yield Recording(record=HIGH, expr=_high(series))
    yield Recording(record=DEVIATION, expr=_deviation(series))
    yield Recording(record=UPPER, expr=f"{series.select(HIGH)} + {margin}")
    yield Recording(record=LOWER, expr=f"clamp_min({low} - {margin}, 0)")


def _high(series: Scope) -> str:
    """Let the week's mean stand for hours of which nothing is known but that nobody asked: they had no answers."""
    weeks, mean = series.select(USUAL, _WEEKS), series.select(USUAL, f"{_MEAN},{_OF_ANSWERS}")
    known = series.select(USUAL, f"{_REQUESTS},{_WEEKS}")
    return f"max without (reference) ({weeks})\nor\nmax without (reference) ({mean}) and on () {known}"


def _history(series: Scope) -> Iterator[Recording]:
    """Look far back by rules of their own: what else were in a rule would be looked up over all the weeks too."""
    for name, offset in _REFERENCES.items():
        hour, labels = f"{series.select(SIGNAL)}[1h] offset {offset}", {"reference": name}
        yield Recording(record=USUAL, expr=f"avg_over_time({hour})", labels=labels)
        yield Recording(record=VARIED, expr=f"stddev_over_time({hour})", labels=labels)
    mean = f"avg_over_time({series.select(HOUR)}[1w])"
    yield Recording(record=USUAL, expr=mean, labels={"reference": "mean"})
    least = {"signal": "errors", "reference": "least"}
    yield Recording(record=VARIED, expr=f"vector({_LEAST_ERROR_DEVIATION})", labels=least)


def _deviation(series: Scope) -> str:
    """Take the widest: how those hours varied, a share of the week's mean, what chance does to so few requests.

    Where none are usual, those that there are say how few.
    """
    high, share = series.select(HIGH), f"{_SHARE_OF_MEAN} * {series.select(USUAL, _MEAN)}"
    several = f"{series.select(HIGH, _REQUESTS)} > 0 or {series.select(SIGNAL, _REQUESTS)} > 0"
    chance = f"{high} / on (namespace, service) group_left () sqrt({several})"
    return f"max without (reference) ({series.select(VARIED)} or {share} or {chance}) and {high}"


def _above(series: Scope, signal: Signal) -> Alert:
    own = f'signal="{signal.name}"'
    return Alert(
        alert="TextToImageAnomaly",
        expr=f"{series.select(SIGNAL, own)} > {series.select(UPPER, own)}\n{signal.guard}",
        for_="10m",
        severity="warning",
        summary=f"{signal.noun} of {series.namespace}/{series.service}: far more than usual",
        description=f"{signal.noun} of the last {_WINDOW}: {signal.value}, above anything usual at this hour of the day"
        " and the week.",
        topic=signal.topic,
        labels={"signal": signal.name, "direction": "above"},
    )


def _below(series: Scope) -> Alert:
    """Compare half hours that were scraped throughout: after a start, or Prometheus' own, fewer requests are known of.

    Three moments tell: what lies between them and is longer than five minutes keeps the alert from waiting for ten.
    """
    scraped = (f"max({series.select('up')}{ago}) == 1" for ago in ("", " offset 15m", " offset 30m"))
    return Alert(
        alert="TextToImageAnomaly",
        expr="\nand on ()\n".join((f"{series.select(SIGNAL, _REQUESTS)} < {series.select(LOWER)}", *scraped)),
        for_="10m",
        severity="warning",
        summary=f"Requests to {series.namespace}/{series.service}: far fewer than usual",
        description=f'{{{{ $value | printf "%.0f" }}}} requests in the last {_WINDOW}, fewer than usual at this hour'
        " of the day and the week: something may keep callers away.",
        labels={"signal": "requests", "direction": "below"},
    )
