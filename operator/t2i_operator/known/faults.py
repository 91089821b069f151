"""What keeps a single object from its place, and which condition has to say so."""

from typing import NamedTuple

from t2i_operator import naming, spec
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    DEPLOYMENT,
    GRAFANA_DASHBOARD,
    HTTP_ROUTE,
    INGRESS,
    OPENTELEMETRY_COLLECTOR,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
)

CONFLICT, CONTESTED, APPLY_FAILED, DELETE_FAILED = "Conflict", "Contested", "ApplyFailed", "DeleteFailed"
REPLACING, MISSING, INVALID = "Replacing", "Missing", "InvalidSpec"
READY, ROUTE_READY = "Ready", "RouteReady"
# The condition of those kinds that count for one whatever their name.
MONITORING = {
    SERVICE_MONITOR: "MetricsReady",
    PROMETHEUS_RULE: "AlertsReady",
    ALERTMANAGER_CONFIG: "AlertsReady",
    GRAFANA_DASHBOARD: "DashboardsReady",
    OPENTELEMETRY_COLLECTOR: "TracingReady",
}


class Fault(NamedTuple):
    """The object, the condition it counts for, and what is the matter; `error` is what the API server answered."""

    identity: Id
    condition: str
    reason: str
    message: str
    error: ApiError | None = None


class Failure(NamedTuple):
    """What went wrong, and the condition that it counts for: READY for whatever concerns the resource as a whole."""

    condition: str
    error: Exception


def condition_of(identity: Id, name: str, *, failed: bool = True) -> str:
    """Return the condition that an object of the resource of this name counts for; monitoring never lowers Ready.

    Nor does a way in that was refused, or that the API server failed us with. Without `failed` it is somebody else's,
    fought over or missing, which is said of the spec.
    """
    if identity.kind in (INGRESS, HTTP_ROUTE):
        return ROUTE_READY if failed else READY
    if identity.kind in MONITORING:
        return MONITORING[identity.kind]
    if identity.name.startswith(naming.dashboard(name, "")):
        return "DashboardsReady"
    if identity.name == naming.jaeger(name) or identity.name.startswith(f"{naming.jaeger(name)}-"):
        return "TracingReady"
    return READY


def jaeger_of(resource: spec.TextToImageService) -> Id:
    """Return the object that Jaeger's pod is made from, wanted or not."""
    kind = OPENTELEMETRY_COLLECTOR if resource.spec.monitoring.tracing.jaeger.is_collector else DEPLOYMENT
    return Id(kind, resource.metadata.namespace, naming.jaeger(resource.metadata.name))
