"""The PrometheusRule: every rule with the static labels it is routed by, and every alert with its links."""

from collections.abc import Iterator

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring import links
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.builders.monitoring.rules import anomaly, availability, cost, guide, slo
from t2i_operator.builders.monitoring.rules.rule import Alert, Group, Recording
from t2i_operator.kinds import PROMETHEUS_RULE, Object


def prometheus_rule(resource: spec.TextToImageService) -> Object:
    """Select nothing by itself: `alerts.labels` are what a Prometheus selects it by."""
    body = metadata(resource, naming.prometheus_rule(resource.metadata.name))
    body["labels"] = {**resource.spec.monitoring.alerts.labels, **body["labels"]}
    return {
        "apiVersion": PROMETHEUS_RULE.api_version,
        "kind": PROMETHEUS_RULE.name,
        "metadata": body,
        "spec": {"groups": [_group(resource, group) for group in groups(resource)]},
    }


def groups(resource: spec.TextToImageService) -> Iterator[Group]:
    """Yield the groups that the spec asks for."""
    candidates = (
        guide.group(resource),
        availability.group(resource),
        availability.provider_group(resource),
        *slo.groups(resource),
        *cost.groups(resource),
        *anomaly.groups(resource),
    )
    return (group for group in candidates if group)


def _group(resource: spec.TextToImageService, group: Group) -> Object:
    """Name the group for its service: names are unique in a file only, but tools list those of all files together."""
    owner = resource.metadata
    body: Object = {"name": f"{owner.namespace}.{owner.name}.{group.name}"}
    if group.interval:
        body["interval"] = group.interval
    return {**body, "rules": [_rule(resource, rule) for rule in group.rules]}


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
