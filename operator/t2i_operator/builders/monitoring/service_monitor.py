"""The ServiceMonitors: of the service, and of the Jaeger that turns its spans into metrics."""

from collections.abc import Sequence

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.configuration import most_span_series
from t2i_operator.builders.monitoring.jaeger.services import COLLECTOR, METRICS
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.kube.kinds import SERVICE_MONITOR, Object
from t2i_operator.spec.relabeling import IDENTITY, Relabeling

# The Prometheus Operator names a target label `endpoint` before these steps run (promcfg.go); left there, it would
# rename the metrics' own `endpoint`, which the guide's queries use, to `exported_endpoint`.
_KEEP_OWN_ENDPOINT: Object = {"action": "labeldrop", "regex": "endpoint"}

# No pod may fill a Prometheus that is everybody's. A scrape of more is dropped whole, and the pod is down, so ours must
# never come near: it has some 7,900 series with 32 models, whatever clients send (dev/bench/series.py), and one more a
# key that it has known. This is six times that; and a Secret of 1 MiB, full of keys of 32 characters, fits too.
_MOST_SAMPLES = 50_000
# What Jaeger has forgotten, it shows for a minute more (docs/decisions/0054).
_HELD_AND_FORGOTTEN = 2

# Of two dozen metrics that a collector has of itself: what it took in, and what troubleshooting asks of the rest.
_OF_COLLECTOR: Object = {
    "action": "keep",
    "sourceLabels": ["__name__"],
    "regex": "otelcol_(receiver_(accepted|refused)_spans|processor_tail_sampling_sampling_trace_dropped_too_early"
    "|exporter_send_failed_spans)(_total)?",
}


def service_monitor(resource: spec.TextToImageService) -> Object:
    """Exemplars need no setting: Prometheus asks for OpenMetrics first.

    `sampleLimit` counts what `metricRelabelings` leave. There is no `bodySizeLimit` beside it: CRDs from before 0.73 do
    not know it, and server-side apply refuses the whole object for a field that the CRD does not know.
    """
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
    return _monitor(resource, naming.service_monitor(name), "service", [endpoint], _MOST_SAMPLES)


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
    most = _HELD_AND_FORGOTTEN * most_span_series(resource)
    return _monitor(resource, naming.jaeger_monitor(name), component, endpoints, most)


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


def _monitor(
    resource: spec.TextToImageService, name: str, component: str, endpoints: list[Object], most_samples: int
) -> Object:
    body = metadata(resource, name, component=component)
    body["labels"] = {**resource.spec.monitoring.metrics.labels, **body["labels"]}
    return {
        "apiVersion": SERVICE_MONITOR.api_version,
        "kind": SERVICE_MONITOR.name,
        "metadata": body,
        "spec": {
            "selector": {"matchLabels": naming.selector_labels(resource.metadata.name, component)},
            "sampleLimit": most_samples,
            "endpoints": endpoints,
        },
    }
