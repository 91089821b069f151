"""The Services before Jaeger: one that takes spans, one that shows traces."""

from collections.abc import Iterable

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.deployment import COMPONENT, PORTS
from t2i_operator.kinds import SERVICE, Object

COLLECTOR = "jaeger-collector"
_QUERY_PORT = "http-query"


def collector_service(resource: spec.TextToImageService) -> Object:
    """Return what the service sends its spans to, and Prometheus asks for what became of them."""
    ports = [name for name in PORTS if name != _QUERY_PORT]
    pods = naming.selector_labels(resource.metadata.name, COMPONENT)
    return _service(resource, naming.jaeger_collector(resource.metadata.name), COLLECTOR, ports, pods)


def query_service(resource: spec.TextToImageService) -> Object:
    """Return what people open; where the OpenTelemetry operator runs the pods, they bear its labels."""
    owner = resource.metadata
    pods = naming.selector_labels(owner.name, COMPONENT)
    if resource.spec.monitoring.tracing.jaeger.format == "OpenTelemetryCollector":
        pods = {
            naming.INSTANCE_LABEL: f"{owner.namespace}.{naming.jaeger(owner.name)}",
            naming.MANAGED_BY_LABEL: "opentelemetry-operator",
        }
    return _service(resource, naming.jaeger_query(owner.name), "jaeger-query", [_QUERY_PORT], pods)


def _service(
    resource: spec.TextToImageService, name: str, component: str, ports: Iterable[str], pods: dict[str, str]
) -> Object:
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": metadata(resource, name, component=component),
        "spec": {
            "type": "ClusterIP",
            "selector": pods,
            "ports": [
                {"name": port, "port": PORTS[port], "targetPort": PORTS[port], "protocol": "TCP"} for port in ports
            ],
        },
    }
