"""Whether what observes the service is in place: a part of the truth table, one row for each block of the spec."""

from t2i_operator import naming, spec
from t2i_operator.known.faults import READY, condition_of, jaeger_of
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Verdict
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    GRAFANA_DASHBOARD,
    OPENTELEMETRY_COLLECTOR,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
)
from t2i_operator.spec.monitoring import LONGEST_INTERVAL, SCRAPES_A_WINDOW

_LEFT = "its events and those of its pods say why; if there are none, no OpenTelemetry operator runs"
_SELDOM = (
    f"alerts stay silent: metrics.interval may be {LONGEST_INTERVAL} at most, and {SCRAPES_A_WINDOW} scrapes must be in"
    " thresholds.window and in every shortWindow of burnRates"
)
_UNSHOWN = (
    "the Grafana operator finds no running Grafana with the labels of spec.monitoring.dashboards.instanceSelector"
)
_UNTAKEN = "no Grafana has it yet: its status says why; if that is empty, no Grafana operator looks into this namespace"

_PRODUCTS = {
    SERVICE_MONITOR: ("PrometheusOperatorMissing", "the Prometheus Operator"),
    PROMETHEUS_RULE: ("PrometheusOperatorMissing", "the Prometheus Operator"),
    ALERTMANAGER_CONFIG: ("PrometheusOperatorMissing", "the Prometheus Operator's AlertmanagerConfig"),
    GRAFANA_DASHBOARD: ("GrafanaOperatorMissing", "the Grafana operator, or set dashboards.format: ConfigMap"),
    OPENTELEMETRY_COLLECTOR: (
        "OpenTelemetryOperatorMissing",
        "the OpenTelemetry operator, or set tracing.jaeger.format: Deployment",
    ),
}


def monitored(outcome: Outcome) -> dict[str, Verdict]:
    """Return what is found for each block of `spec.monitoring`, by the condition's name."""
    resource = outcome.resource
    if resource is None:
        names = ("MetricsReady", "AlertsReady", "DashboardsReady", "TracingReady")
        return dict.fromkeys(names, Verdict("Unknown", "InvalidSpec", "the spec cannot be read"))
    found = {
        "MetricsReady": _metrics(outcome, resource),
        "AlertsReady": _alerts(outcome, resource),
        "DashboardsReady": _dashboards(outcome, resource),
        "TracingReady": _tracing(outcome, resource),
    }
    # What went wrong with an object, or is missing, says more than what is there, and each condition has room for one.
    missing = {name: Verdict("False", *problem) for name, problem in outcome.lacks.items()}
    faults = {fault.condition: Verdict("False", fault.reason, fault.message) for fault in reversed(outcome.faults)}
    return {name: faults.get(name) or missing.get(name) or verdict for name, verdict in found.items()}


def _metrics(outcome: Outcome, resource: spec.TextToImageService) -> Verdict:
    if resource.spec.monitoring.metrics.mode == "Disabled":
        return _disabled(outcome, resource, "metrics")
    return _kept(outcome, resource, SERVICE_MONITOR, naming.service_monitor(resource.metadata.name))


def _alerts(outcome: Outcome, resource: spec.TextToImageService) -> Verdict:
    if resource.spec.monitoring.alerts.mode == "Disabled":
        return _disabled(outcome, resource, "alerts")
    found = _kept(outcome, resource, PROMETHEUS_RULE, naming.prometheus_rule(resource.metadata.name))
    if found.status == "True" and scraped_too_seldom(resource):
        return Verdict("False", "ScrapedTooSeldom", _SELDOM)
    if found.status != "True" or not resource.spec.monitoring.alerts.receivers:
        return found
    told = _kept(outcome, resource, ALERTMANAGER_CONFIG, naming.alertmanager_config(resource.metadata.name))
    return found._replace(message=f"{found.message}; {told.message}") if told.status == "True" else told


def scraped_too_seldom(resource: spec.TextToImageService) -> bool:
    """Tell whether few scrapes keep alerts silent: the CRD lets be what was stored before it had a rule on that."""
    metrics, alerts = resource.spec.monitoring.metrics, resource.spec.monitoring.alerts
    interval = spec.seconds(metrics.scrape_interval)
    windows = (alerts.thresholds.window, *(pair.short_window for pair in alerts.burn_rates))
    return metrics.mode == "Managed" and (
        interval > spec.seconds(LONGEST_INTERVAL)
        or any(spec.seconds(window) < SCRAPES_A_WINDOW * interval for window in windows)
    )


def _dashboards(outcome: Outcome, resource: spec.TextToImageService) -> Verdict:
    wanted = resource.spec.monitoring.dashboards
    if wanted.mode == "Disabled":
        return _disabled(outcome, resource, "dashboards")
    kind = GRAFANA_DASHBOARD if wanted.for_grafana_operator else CONFIG_MAP
    found = _kept(outcome, resource, kind, naming.dashboard(resource.metadata.name, "overview"))
    if found.status != "True" or kind != GRAFANA_DASHBOARD:
        return found
    fallback = outcome.fallback_dashboards
    stays = f"; {', '.join(map(str, fallback))} is kept until one has" if fallback else ""
    if outcome.unsynced_dashboards:
        return Verdict("False", "NotSelected", f"{outcome.unsynced_dashboards[0]}: {_UNSHOWN}{stays}")
    if outcome.untaken_dashboards:
        return Verdict("Unknown", "Pending", f"{outcome.untaken_dashboards[0]}: {_UNTAKEN}{stays}")
    return found


def _tracing(outcome: Outcome, resource: spec.TextToImageService) -> Verdict:
    wanted = resource.spec.monitoring.tracing
    if wanted.mode == "Disabled":
        return _disabled(outcome, resource, "tracing")
    if wanted.mode == "External":
        return Verdict("True", "External", f"spans are sent to {wanted.endpoint}")
    jaeger = jaeger_of(resource)
    found = _kept(outcome, resource, jaeger.kind, jaeger.name)
    if found.status == "True" and (outcome.jaeger is None or not outcome.jaeger.complete):
        return Verdict("False", "JaegerNotReady", f"{jaeger} has no ready pod; {_why_not(outcome.jaeger, jaeger.kind)}")
    return found


def _why_not(rollout: Rollout | None, kind: Kind) -> str:
    """Say what the Deployment itself says: it may have no pods whose events could be looked at."""
    told = rollout or Rollout()
    hint = _LEFT if kind == OPENTELEMETRY_COLLECTOR else "its pods' events say why"
    return told.replica_failure or told.paused or "; ".join(filter(None, (told.deadline_exceeded, hint)))


def _disabled(outcome: Outcome, resource: spec.TextToImageService, block: str) -> Verdict:
    """Name what is still there: an alert, say, goes on firing until it is gone."""
    said, name = f"spec.monitoring.{block}.mode is Disabled", resource.metadata.name
    left = [str(each) for each in outcome.objects if condition_of(each, name) == f"{block.capitalize()}Ready"]
    if not left:
        return Verdict("True", "Disabled", said)
    told = f"{said}; still there: {', '.join(left)}"
    keeps = _what_keeps(outcome, resource)
    return Verdict("Unknown", "Pending", f"{told}; {keeps}" if keeps else told)


def _what_keeps(outcome: Outcome, resource: spec.TextToImageService) -> str:
    """Say for what something waits that is to go; "" where an event that came late may but show it once more."""
    if resource.spec.paused:
        return "it goes once spec.paused is false"
    if outcome.waiting:
        return outcome.waiting
    return "it goes once everything that serves is in its place" if READY in outcome.unfinished else ""


def _kept(outcome: Outcome, resource: spec.TextToImageService, kind: Kind, name: str) -> Verdict:
    absence = outcome.absent.get(kind)
    if absence is Absence.FORBIDDEN:
        return Verdict("Unknown", "NotVisible", f"the operator has no right to look at {kind.plural}")
    if absence is Absence.MISSING:
        reason, product = _PRODUCTS[kind]
        return Verdict("False", reason, f"the cluster knows no {kind.name}: install {product}")
    if absence is not None:
        return Verdict("Unknown", "NotVisible", f"{kind.plural} cannot be listed: {absence.answer}")
    identity = Id(kind, resource.metadata.namespace, name)
    if identity not in outcome.objects:
        return Verdict("Unknown", "Pending", f"{identity} is not applied yet")
    selected = outcome.selected.get(kind)
    if selected is not None:
        return selected._replace(message=f"{identity}: {selected.message}")
    return Verdict("True", "InPlace", f"{identity} is in place")
