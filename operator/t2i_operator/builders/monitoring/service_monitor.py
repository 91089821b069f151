"""The ServiceMonitors: of the service, and of the Jaeger that turns its spans into metrics."""

from collections.abc import Sequence

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.services import COLLECTOR, METRICS
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.kube.kinds import SERVICE_MONITOR, Object
from t2i_operator.spec.relabeling import IDENTITY, Relabeling

# The Prometheus Operator names a target label `endpoint` before these steps run (promcfg.go); left there, it would
# rename the metrics' own `endpoint`, which the guide's queries use, to `exported_endpoint`.
_KEEP_OWN_ENDPOINT: Object = {"action": "labeldrop", "regex": "endpoint"}

# Of two dozen metrics that a collector has of itself: what it took in, and what troubleshooting asks of the rest.
_OF_COLLECTOR: Object = {
    "action": "keep",
    "sourceLabels": ["__name__"],
    "regex": "otelcol_(receiver_(accepted|refused)_spans|processor_tail_sampling_sampling_trace_dropped_too_early"
    "|exporter_send_failed_spans)(_total)?",
}


def service_monitor(resource: spec.TextToImageService) -> Object:
    """Exemplars need no setting: Prometheus asks for OpenMetrics first."""
    name, wanted = resource.metadata.name, resource.spec.monitoring.metrics
    endpoint: Object = {
        "port": naming.PORT_NAME,
        "path": "/metrics",
        "interval": wanted.scrape_interval,
        "relabelings": [_KEEP_OWN_ENDPOINT, *_steps(resource, wanted.relabelings)],
    }
    if wanted.metric_relabelings:
        endpoint["metricRelabelings"] = _steps(resource, wanted.metric_relabelings)
    if wanted.scrape_timeout:
        endpoint["scrapeTimeout"] = wanted.scrape_timeout
    return _monitor(resource, naming.service_monitor(name), "service", [endpoint])


def jaeger_monitor(resource: spec.TextToImageService) -> Object:
    """Scrape the span metrics and the collector's own, as of one service whoever runs the pods."""
    wanted, name = resource.spec.monitoring, resource.metadata.name
    component, relabelings = COLLECTOR, [_KEEP_OWN_ENDPOINT]
    if wanted.tracing.jaeger.is_collector:
        component = METRICS
        relabelings.append(
            {"action": "replace", "targetLabel": "service", "replacement": naming.jaeger_collector(name)}
        )
    endpoints: list[Object] = [
        {
            "port": port,
            "path": "/metrics",
            "interval": wanted.metrics.scrape_interval,
            "relabelings": relabelings,
            "metricRelabelings": [*kept, {"action": "labeldrop", "regex": "otel_scope_.*|exported_(job|instance)"}],
        }
        for port, kept in ((naming.SPAN_METRICS_PORT, ()), (naming.COLLECTOR_METRICS_PORT, (_OF_COLLECTOR,)))
    ]
    return _monitor(resource, naming.jaeger_monitor(name), component, endpoints)


def _steps(resource: spec.TextToImageService, relabelings: Sequence[Relabeling]) -> list[Object]:
    """Have what tells the series from another service's written last: a labeldrop may take it away, and a pod forge it.

    The CRD's default is spelled out: `endpoints` is atomic, and what the API server adds inside would be drift.
    """
    if not relabelings:
        return []
    own = scope(resource)
    identity = dict(zip(IDENTITY, (own.namespace, own.service, own.service), strict=True))
    kept = [{"action": "replace", "targetLabel": label, "replacement": value} for label, value in identity.items()]
    return [*({"action": "replace", **spec.to_wire(step)} for step in relabelings), *kept]


def _monitor(resource: spec.TextToImageService, name: str, component: str, endpoints: list[Object]) -> Object:
    body = metadata(resource, name, component=component)
    body["labels"] = {**resource.spec.monitoring.metrics.labels, **body["labels"]}
    return {
        "apiVersion": SERVICE_MONITOR.api_version,
        "kind": SERVICE_MONITOR.name,
        "metadata": body,
        "spec": {
            "selector": {"matchLabels": naming.selector_labels(resource.metadata.name, component)},
            "endpoints": endpoints,
        },
    }
