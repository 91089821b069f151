"""The PrometheusRule: every rule with the static labels it is routed by, and every alert with its links."""

from collections.abc import Iterator

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring import links
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.builders.monitoring.rules import anomaly, availability, cost, guide, slo
from t2i_operator.builders.monitoring.rules.rule import PACES, Alert, Pace, Recording
from t2i_operator.kube.kinds import PROMETHEUS_RULE, Object


def prometheus_rule(resource: spec.TextToImageService) -> Object:
    """Select nothing by itself: `alerts.labels` are what a Prometheus selects it by."""
    body = metadata(resource, naming.prometheus_rule(resource.metadata.name))
    body["labels"] = {**resource.spec.monitoring.alerts.labels, **body["labels"]}
    return {
        "apiVersion": PROMETHEUS_RULE.api_version,
        "kind": PROMETHEUS_RULE.name,
        "metadata": body,
        "spec": {"groups": [*_groups(resource)]},
    }


def _groups(resource: spec.TextToImageService) -> Iterator[Object]:
    """Put what the spec asks for into one group a pace."""
    parts = [
        *guide.parts(resource),
        *availability.parts(resource),
        *slo.parts(resource),
        *cost.parts(resource),
        *anomaly.parts(resource),
    ]
    for pace in PACES:
        rules = [_rule(resource, rule) for part in parts if part.pace is pace for rule in part.rules]
        if rules:
            yield {**_head(resource, pace), "rules": rules}


def _head(resource: spec.TextToImageService, pace: Pace) -> Object:
    """Name the group for its service: names are unique in a file only, but tools list those of all files together."""
    owner = resource.metadata
    name = f"{owner.namespace}.{owner.name}.{pace.name}"
    return {"name": name, "interval": pace.interval} if pace.interval else {"name": name}


def _rule(resource: spec.TextToImageService, rule: Recording | Alert) -> Object:
    """Add static labels, because `absent()` and sums have none: Alertmanager routes and inhibits by `namespace`."""
    body = rule.plain()
    own = scope(resource).labels
    if isinstance(rule, Alert):
        body["labels"] = {**resource.spec.monitoring.alerts.alert_labels, **own, **body["labels"]}
        body["annotations"] |= links.of_alert(resource, rule.alert, rule.topic)
    else:
        body["labels"] = {**own, **body["labels"]}
    return body
