"""The names of a resource's objects, by kind: what bears our labels under another name is somebody's copy of one."""

from collections.abc import Callable
from functools import partial

from t2i_operator import naming
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    GRAFANA_DASHBOARD,
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    OPENTELEMETRY_COLLECTOR,
    POD_DISRUPTION_BUDGET,
    PROMETHEUS_RULE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    VOLUME_CLAIM,
    Kind,
)

_DASHBOARDS: list[Callable[[str], str]] = [partial(naming.dashboard, topic=topic) for topic in naming.TOPICS]
# A name that is given up stays here: else what an earlier version made under it would never be taken away.
_NAMES: dict[Kind, list[Callable[[str], str]]] = {
    SERVICE_ACCOUNT: [naming.service_account],
    SECRET: [naming.credentials, naming.keys],
    CONFIG_MAP: [naming.config, naming.jaeger_config, *_DASHBOARDS],
    SERVICE: [naming.service, naming.jaeger_collector, naming.jaeger_metrics, naming.jaeger_query],
    DEPLOYMENT: [naming.deployment, naming.jaeger],
    AUTOSCALER: [naming.autoscaler],
    POD_DISRUPTION_BUDGET: [naming.pod_disruption_budget],
    NETWORK_POLICY: [naming.network_policy, naming.jaeger],
    INGRESS: [naming.ingress],
    HTTP_ROUTE: [naming.http_route],
    VOLUME_CLAIM: [naming.jaeger],
    SERVICE_MONITOR: [naming.service_monitor, naming.jaeger_monitor],
    PROMETHEUS_RULE: [naming.prometheus_rule],
    ALERTMANAGER_CONFIG: [naming.alertmanager_config],
    GRAFANA_DASHBOARD: _DASHBOARDS,
    OPENTELEMETRY_COLLECTOR: [naming.jaeger],
}


def lists(kind: Kind, name: str, resource: str) -> bool:
    """Tell whether a resource of this name may have an object of this kind and name."""
    return any(make(resource) == name for make in _NAMES[kind])
