"""Jaeger's configuration: spans come in by OTLP, become metrics before any sampling, and are kept."""

from t2i_operator import spec
from t2i_operator.builders.monitoring.jaeger import memory, storage
from t2i_operator.kube.kinds import Object
from t2i_operator.spec.alerts import DURATION_BUCKETS

OTLP_GRPC, OTLP_HTTP, QUERY, HEALTH, METRICS, SPAN_METRICS = 4317, 4318, 16686, 13133, 8888, 8889
_DEFAULT_TIMEOUT_SECONDS = 120
_DECISION_MARGIN_SECONDS = 10
_TRACES = "traces"
# The service and those who call it. Then what tells spans of one name apart, twice what the service itself needs: a
# model's span ends well or by one of a dozen errors, and the others are not many.
_SERVICE_NAMES = 20
_OWN_LABEL_SETS, _LABEL_SETS_A_MODEL = 80, 20
# A counter, and a histogram with a bucket for each bound and one for the rest, its sum and its count.
_SERIES_A_LABEL_SET = 1 + len(DURATION_BUCKETS) + 3


def configuration(resource: spec.TextToImageService) -> Object:
    """Return the configuration; `jaeger validate` and a running Jaeger have read each of its forms."""
    return {
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": _listen(HEALTH)}},
            "jaeger_storage": {"backends": {_TRACES: storage.configuration(resource)}},
            "jaeger_query": {"storage": {"traces": _TRACES}, "http": {"endpoint": _listen(QUERY)}},
        },
        "receivers": {
            "otlp": {"protocols": {"grpc": {"endpoint": _listen(OTLP_GRPC)}, "http": {"endpoint": _listen(OTLP_HTTP)}}}
        },
        "processors": _processors(resource),
        "connectors": _connectors(resource),
        "exporters": {
            "jaeger_storage_exporter": {"trace_storage": _TRACES},
            # Exemplars are shown in OpenMetrics only.
            # What the connector has forgotten is shown until the end of its time here.
            "prometheus": {
                "endpoint": _listen(SPAN_METRICS),
                "enable_open_metrics": True,
                "metric_expiration": "1m",
            },
        },
        "service": {
            "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
            "pipelines": _pipelines(resource),
            "telemetry": _telemetry(),
        },
    }


def most_span_series(resource: spec.TextToImageService) -> int:
    """Return how many series the span metrics it holds are at most, whatever is sent: each name has an overflow set."""
    return _SERVICE_NAMES * (_label_sets(resource) + 1) * _SERIES_A_LABEL_SET


def _label_sets(resource: spec.TextToImageService) -> int:
    return _OWN_LABEL_SETS + _LABEL_SETS_A_MODEL * len(resource.spec.models)


def _listen(port: int) -> str:
    return f"0.0.0.0:{port}"


def _processors(resource: spec.TextToImageService) -> Object:
    body: Object = {"memory_limiter": memory.limiter(), "batch": {}}
    if memory.samples(resource):
        body["tail_sampling"] = _tail_sampling(resource)
    return body


def _tail_sampling(resource: spec.TextToImageService) -> Object:
    """Wait longer than any request may take: a trace that is judged before its end is judged without its error."""
    wanted = resource.spec.monitoring.tracing.jaeger.tail_sampling
    longest = max(model.timeout_seconds or _DEFAULT_TIMEOUT_SECONDS for model in resource.spec.models)
    milliseconds = int(spec.seconds(wanted.slower_than) * 1000)
    return {
        "decision_wait": wanted.decision_wait or f"{longest + _DECISION_MARGIN_SECONDS}s",
        "num_traces": memory.undecided_traces(resource),
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {"name": "slow", "type": "latency", "latency": {"threshold_ms": milliseconds}},
            {
                "name": "ordinary",
                "type": "probabilistic",
                "probabilistic": {"sampling_percentage": float(wanted.ratio) * 100},
            },
        ],
    }


def _connectors(resource: spec.TextToImageService) -> Object:
    """Sum over pods: with a pod's name in their key, metrics of a pod that is gone would stay until a restart."""
    span_metrics = {
        "histogram": {"unit": "s", "explicit": {"buckets": list(DURATION_BUCKETS)}},
        "exemplars": {"enabled": True, "max_per_data_point": 5},
        "dimensions": [{"name": "gen_ai.request.model"}, {"name": "error.type"}],
        "resource_metrics_key_attributes": ["service.name"],
        "metrics_flush_interval": "15s",
        # More would be a mistake, as a path in a span's name: one overflow set.
        "aggregation_cardinality_limit": _label_sets(resource),
        # More would be a mistake too, as a pod's name in `service.name`; those heard of least lately are forgotten.
        "resource_metrics_cache_size": _SERVICE_NAMES,
        # Counted from nothing after that: the first requests after a pause this long are missing from rates.
        "metrics_expiration": "24h",
    }
    return {"spanmetrics": span_metrics, **({"forward": {}} if memory.samples(resource) else {})}


def _pipelines(resource: spec.TextToImageService) -> Object:
    kept = ["jaeger_storage_exporter"]
    metrics = {"receivers": ["spanmetrics"], "exporters": ["prometheus"]}
    if not memory.samples(resource):
        processors = ["memory_limiter", "batch"]
        whole = {"receivers": ["otlp"], "processors": processors, "exporters": [*kept, "spanmetrics"]}
        return {"traces": whole, "metrics": metrics}
    taken = {"receivers": ["otlp"], "processors": ["memory_limiter"], "exporters": ["spanmetrics", "forward"]}
    sampled = {"receivers": ["forward"], "processors": ["tail_sampling", "batch"], "exporters": kept}
    return {"traces": taken, "traces/sampled": sampled, "metrics": metrics}


def _telemetry() -> Object:
    reader = {"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": METRICS}}}}  # noqa: S104 - in a pod
    return {
        "resource": {"service.name": "jaeger"},
        "metrics": {"level": "normal", "readers": [reader]},
        "logs": {"level": "info", "encoding": "json"},
    }
