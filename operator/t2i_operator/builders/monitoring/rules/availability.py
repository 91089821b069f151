"""Whether the service is there at all, as Prometheus sees it."""

from collections.abc import Iterator

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import FAILED, Scope, scope
from t2i_operator.builders.monitoring.rules.rule import ALERTS, Alert, Part


def parts(resource: spec.TextToImageService) -> Iterator[Part]:
    """Leave out the first two while nothing is to be scraped, so that a service at 0 replicas is never missed."""
    unscraped = resource.spec.monitoring.metrics.mode == "Disabled"
    series = scope(resource)
    if not (unscraped or is_stopped(resource)):
        yield Part(ALERTS, _missing(series, resource.spec.monitoring.alerts.thresholds.down_for))
    yield Part(ALERTS, (_breaker_open(series),))


def is_stopped(resource: spec.TextToImageService) -> bool:
    """Tell whether it is to have no pods: neither they nor who asks them are missed."""
    return resource.spec.autoscaling is None and resource.spec.replicas == 0


def _missing(series: Scope, patience: str) -> tuple[Alert, Alert]:
    return (
        Alert(
            alert="TextToImageDown",
            expr=f"sum({series.select('up')}) == 0",
            for_=patience,
            severity="critical",
            summary=f"{series.namespace}/{series.service} is down",
            description=f"None of its pods has answered a scrape of /metrics for {patience}.",
        ),
        Alert(
            alert="TextToImageAbsent",
            expr=f"absent({series.select('up')})",
            for_=patience,
            severity="critical",
            summary=f"{series.namespace}/{series.service} has disappeared",
            description=f"Prometheus has known no pod of it for {patience}, though replicas are wanted.",
        ),
    )


def _breaker_open(series: Scope) -> Alert:
    """Tell of a provider that the service has given up on, while somebody asks for it.

    A breaker stays half open until somebody asks, maybe for ever. One that is asked is open for 15 s between trials,
    which scrapes may miss; what they do not miss are the failures, whether or not the provider was asked.
    """
    given_up = f"{series.select(metrics.BREAKER)} > 0"
    failing = f"increase({series.select(metrics.MODEL_GENERATIONS, FAILED)}[5m]) > 0"
    return Alert(
        alert="TextToImageBreakerOpen",
        expr=f"max by (model) (\n{given_up}\nand on (pod, model)\n{failing}\n)",
        for_="1m",
        severity="warning",
        summary=f"{series.namespace}/{series.service} has given up on a model for now",
        description="The circuit breaker of model {{ $labels.model }} is open: its provider failed repeatedly,"
        " and requests for it are answered 503 at once.",
        topic="models",
    )
