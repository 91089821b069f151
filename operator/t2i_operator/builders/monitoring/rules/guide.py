"""The three alerts of the observability guide, under its names and with its thresholds."""

from collections.abc import Iterator

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import (
    ENDED,
    FAILED,
    GENERATION,
    JUDGED,
    SERVER_ERROR,
    Scope,
    percent,
    scope,
)
from t2i_operator.builders.monitoring.rules.rule import ALERTS, Alert, Part
from t2i_operator.spec.alerts import Alerts


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Yield the three alerts."""
    series, alerts = scope(resource), resource.spec.monitoring.alerts
    three = (_high_error_rate, _high_latency, _image_generation_failure)
    yield Part(ALERTS, tuple(alert(series, alerts) for alert in three))


def _ratio_above(above: str, all_: str, threshold: str, minimum: int) -> str:
    """Judge from an increase of `minimum` on: a ratio of fewer is noise."""
    return f"{above} / ({all_} >= {minimum}) > {threshold}"


def _high_error_rate(series: Scope, alerts: Alerts) -> Alert:
    """Count what is answered 202 as well: who asks so and is turned away is among the errors.

    Not whoever is not let in: a client with a revoked key would hide an outage by asking on and on.
    """
    limits = alerts.thresholds
    return Alert(
        alert="HighErrorRate",
        expr=_ratio_above(
            series.increase(metrics.REQUESTS, SERVER_ERROR, limits.window),
            series.increase(metrics.REQUESTS, JUDGED, limits.window),
            limits.error_rate,
            series.fewest(alerts.minimum_requests, limits.window),
        ),
        for_=limits.for_,
        severity="critical",
        summary=f"Many requests to {series.namespace}/{series.service} fail",
        description="{{ $value | humanizePercentage }} of the requests for images were answered 5xx over the last"
        f" {limits.window}; more than {percent(limits.error_rate)} is too many.",
    )


def _high_latency(series: Scope, alerts: Alerts) -> Alert:
    limits = alerts.thresholds
    buckets = series.select(f"{metrics.REQUEST_SECONDS}_bucket", GENERATION)
    answered = series.increase(f"{metrics.REQUEST_SECONDS}_count", GENERATION, limits.window)
    minimum = series.fewest(alerts.minimum_requests, limits.window)
    return Alert(
        alert="HighLatency",
        expr=f"histogram_quantile(0.95, sum by (le) (rate({buckets}[{limits.window}])))"
        f" > {float(spec.seconds(limits.latency_p95)):g}\nand\n{answered} >= {minimum}",
        for_=limits.for_,
        severity="warning",
        summary=f"{series.namespace}/{series.service} answers slowly",
        description="The slowest 5 % of the requests for images took {{ $value | humanizeDuration }} or longer over the"
        f" last {limits.window}; more than {limits.latency_p95} is too slow.",
    )


def _image_generation_failure(series: Scope, alerts: Alerts) -> Alert:
    limits = alerts.thresholds
    return Alert(
        alert="ImageGenerationFailure",
        expr=_ratio_above(
            series.increase(metrics.GENERATIONS, FAILED, limits.window),
            series.increase(metrics.GENERATIONS, ENDED, limits.window),
            limits.generation_failure_rate,
            series.fewest(alerts.minimum_requests, limits.window),
        ),
        for_=limits.for_,
        severity="critical",
        summary=f"Many generations of {series.namespace}/{series.service} fail",
        description="{{ $value | humanizePercentage }} of the generations failed over the last"
        f" {limits.window}; more than {percent(limits.generation_failure_rate)} is too many.",
        topic="models",
    )
