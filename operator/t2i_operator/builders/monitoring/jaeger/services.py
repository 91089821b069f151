"""The Services before Jaeger: one that takes spans, one that shows traces, and one for metrics where those lack it."""

from collections.abc import Iterable

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.deployment import COMPONENT, PORTS
from t2i_operator.kube.kinds import SERVICE, Object

COLLECTOR, METRICS = "jaeger-collector", "jaeger-metrics"
_QUERY_PORT = "http-query"


def collector_service(resource: spec.TextToImageService) -> Object:
    """Return what the service sends its spans to, and Prometheus asks for what became of them."""
    ports = [name for name in PORTS if name != _QUERY_PORT]
    return _service(resource, naming.jaeger_collector(resource.metadata.name), COLLECTOR, ports)


def metrics_service(resource: spec.TextToImageService) -> Object:
    """Return what Prometheus finds the pods of an OpenTelemetryCollector by.

    That operator's own Service of the collector's name lacks the ports of metrics, which no receiver has.
    """
    ports = (naming.COLLECTOR_METRICS_PORT, naming.SPAN_METRICS_PORT)
    return _service(resource, naming.jaeger_metrics(resource.metadata.name), METRICS, ports)


def query_service(resource: spec.TextToImageService) -> Object:
    """Return what people open."""
    return _service(resource, naming.jaeger_query(resource.metadata.name), "jaeger-query", [_QUERY_PORT])


def pods(resource: spec.TextToImageService) -> dict[str, str]:
    """Return their labels; where the OpenTelemetry operator runs the pods, they bear its own."""
    owner = resource.metadata
    if resource.spec.monitoring.tracing.jaeger.is_collector:
        return naming.collector_selector(owner.namespace, naming.jaeger(owner.name))
    return naming.selector_labels(owner.name, COMPONENT)


def _service(resource: spec.TextToImageService, name: str, component: str, ports: Iterable[str]) -> Object:
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": metadata(resource, name, component=component),
        "spec": {
            "type": "ClusterIP",
            "selector": pods(resource),
            "ports": [
                {"name": port, "port": PORTS[port], "targetPort": PORTS[port], "protocol": "TCP"} for port in ports
            ],
        },
    }
