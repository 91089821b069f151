"""What was stored before the CRD refused it, and would do harm: the one object that it would go into is left alone."""

from collections.abc import Iterable, Iterator

from t2i_operator import naming, spec
from t2i_operator.known.faults import INVALID, condition_of
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.kinds import ALERTMANAGER_CONFIG, PROMETHEUS_RULE
from t2i_operator.spec import receivers, relabeling
from t2i_operator.spec.monitoring import FOLDER
from t2i_operator.spec.scalars import PLAIN_TEXT, PLAIN_URL

_ALERTS, _DASHBOARDS = "spec.monitoring.alerts", "spec.monitoring.dashboards"


def report_invalid(resource: spec.TextToImageService, wanted: Iterable[Id], outcome: Outcome) -> None:
    """Have the outcome say which objects stay as they are; monitoring lowers no other condition than its own."""
    for identity in wanted:
        if found := list(_problems(identity, resource)):
            outcome.fault(identity, INVALID, f"{'; '.join(found)}; {identity} is left as it is until that is changed")


def _problems(identity: Id, resource: spec.TextToImageService) -> Iterator[str]:
    wanted, name = resource.spec.monitoring, resource.metadata.name
    if identity.kind == ALERTMANAGER_CONFIG:
        yield from receivers.problems(wanted.alerts.receivers, f"{_ALERTS}.receivers")
    elif identity.kind == PROMETHEUS_RULE:
        yield from _of_rule(resource)
    elif identity.name == naming.service_monitor(name):
        yield from relabeling.problems(wanted.metrics.relabelings, "spec.monitoring.metrics.relabelings")
        yield from relabeling.problems(wanted.metrics.metric_relabelings, "spec.monitoring.metrics.metricRelabelings")
    elif condition_of(identity, name) == "DashboardsReady":
        yield from FOLDER.problems(wanted.dashboards.folder, f"{_DASHBOARDS}.folder")


def _of_rule(resource: spec.TextToImageService) -> Iterator[str]:
    alerts, dashboards = resource.spec.monitoring.alerts, resource.spec.monitoring.dashboards
    for label, value in alerts.alert_labels.items():
        yield from PLAIN_TEXT.problems(value, f"{_ALERTS}.alertLabels.{label}")
    yield from PLAIN_URL.problems(alerts.runbook_url, f"{_ALERTS}.runbookURL")
    if dashboards.mode == "Managed":
        yield from PLAIN_URL.problems(dashboards.grafana_url, f"{_DASHBOARDS}.grafanaURL")
