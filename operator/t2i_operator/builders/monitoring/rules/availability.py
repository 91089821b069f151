"""Whether the service is there at all, as Prometheus sees it."""

from t2i_operator import spec
from t2i_operator.builders.monitoring import metrics
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.builders.monitoring.rules.rule import Alert, Group


def group(resource: spec.TextToImageService) -> Group | None:
    """None while nothing is to be scraped, so that a service at 0 replicas is never missed."""
    unscraped = resource.spec.monitoring.metrics.mode == "Disabled"
    stopped = resource.spec.autoscaling is None and resource.spec.replicas == 0
    if unscraped or stopped:
        return None
    series = scope(resource)
    patience = resource.spec.monitoring.alerts.thresholds.down_for
    return Group(
        name="availability",
        rules=(
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
        ),
    )


def provider_group(resource: spec.TextToImageService) -> Group:
    """Return the alert on a provider that the service has given up on."""
    series = scope(resource)
    return Group(
        name="provider",
        rules=(
            Alert(
                alert="TextToImageBreakerOpen",
                expr=f"max by (model) ({series.select(metrics.BREAKER)}) > 0",
                for_="1m",
                severity="warning",
                summary=f"{series.namespace}/{series.service} has given up on a model for now",
                description="The circuit breaker of model {{ $labels.model }} is open: its provider failed repeatedly,"
                " and requests for it are answered 503 at once.",
                topic="models",
            ),
        ),
    )
