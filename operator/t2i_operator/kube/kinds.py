"""The kinds the operator reads and writes, and their paths on the API server."""

from typing import Any, NamedTuple, TypeAlias

from t2i_operator import naming

# Plain JSON, as it goes over the wire: typed models are slow to decode and lose unknown fields.
Object: TypeAlias = dict[str, Any]


class Kind(NamedTuple):
    """One kind of object: what to write in it, and where it is served."""

    api_version: str
    plural: str
    name: str

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """Return the path of one object or of a collection; namespace None: of all namespaces."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = f"/namespaces/{namespace}" if namespace else ""
        return f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "")


RESOURCE = Kind(f"{naming.GROUP}/{naming.VERSION}", naming.PLURAL, naming.RESOURCE_KIND)
SERVICE_ACCOUNT = Kind("v1", "serviceaccounts", "ServiceAccount")
SECRET = Kind("v1", "secrets", "Secret")
CONFIG_MAP = Kind("v1", "configmaps", "ConfigMap")
SERVICE = Kind("v1", "services", "Service")
DEPLOYMENT = Kind("apps/v1", "deployments", "Deployment")
POD = Kind("v1", "pods", "Pod")
EVENT = Kind("events.k8s.io/v1", "events", "Event")
SERVICE_MONITOR = Kind("monitoring.coreos.com/v1", "servicemonitors", "ServiceMonitor")
PROMETHEUS_RULE = Kind("monitoring.coreos.com/v1", "prometheusrules", "PrometheusRule")
ALERTMANAGER_CONFIG = Kind("monitoring.coreos.com/v1alpha1", "alertmanagerconfigs", "AlertmanagerConfig")
PROMETHEUS = Kind("monitoring.coreos.com/v1", "prometheuses", "Prometheus")
PROMETHEUS_AGENT = Kind("monitoring.coreos.com/v1alpha1", "prometheusagents", "PrometheusAgent")
THANOS_RULER = Kind("monitoring.coreos.com/v1", "thanosrulers", "ThanosRuler")
ALERTMANAGER = Kind("monitoring.coreos.com/v1", "alertmanagers", "Alertmanager")
NAMESPACE = Kind("v1", "namespaces", "Namespace")
GRAFANA_DASHBOARD = Kind("grafana.integreatly.org/v1beta1", "grafanadashboards", "GrafanaDashboard")
OPENTELEMETRY_COLLECTOR = Kind("opentelemetry.io/v1beta1", "opentelemetrycollectors", "OpenTelemetryCollector")
VOLUME_CLAIM = Kind("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
AUTOSCALER = Kind("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
POD_DISRUPTION_BUDGET = Kind("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
INGRESS = Kind("networking.k8s.io/v1", "ingresses", "Ingress")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "httproutes", "HTTPRoute")
GATEWAY = Kind("gateway.networking.k8s.io/v1", "gateways", "Gateway")
LEASE = Kind("coordination.k8s.io/v1", "leases", "Lease")

CHILDREN = (
    SERVICE_ACCOUNT,
    SECRET,
    CONFIG_MAP,
    SERVICE,
    DEPLOYMENT,
    AUTOSCALER,
    POD_DISRUPTION_BUDGET,
    NETWORK_POLICY,
    INGRESS,
    HTTP_ROUTE,
    VOLUME_CLAIM,
    SERVICE_MONITOR,
    PROMETHEUS_RULE,
    ALERTMANAGER_CONFIG,
    GRAFANA_DASHBOARD,
    OPENTELEMETRY_COLLECTOR,
)
# Those of the children that another product's CRD defines, which may come and go at any time.
OPTIONAL = frozenset(
    {HTTP_ROUTE, SERVICE_MONITOR, PROMETHEUS_RULE, ALERTMANAGER_CONFIG, GRAFANA_DASHBOARD, OPENTELEMETRY_COLLECTOR}
)
# Fields that can never be changed, of kinds that hold no data: such objects are made anew (see `replacement`).
FIXED = {GRAFANA_DASHBOARD: frozenset({"spec.instanceSelector", "spec.uid"})}
