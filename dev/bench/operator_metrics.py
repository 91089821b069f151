"""What a busy operator exposes: its own registry, which counts what its operator would."""

from __future__ import annotations

from prometheus_client.openmetrics.exposition import generate_latest
from t2i_operator.naming import Key
from t2i_operator.status.conditions import Condition
from t2i_operator.status.metrics import Metrics

from dev.bench.exposition import Sample, read

# What a process reads of its queue, its lease and its streams when Prometheus asks.
_GAUGES = {"queue_depth": 3.0, "queue_oldest_seconds": 0.5, "leader": 1.0}
_STREAMS = ("deployments", "endpointslices", "pods", "secrets", "t2iservices")
_CONDITIONS = ("Accepted", "Available", "CredentialsReady", "Monitored", "Progressing", "Ready", "TracingReady")
_VERBS = ("DELETE", "GET", "LIST", "PATCH", "POST", "PUT", "WATCH")
_RESULTS = ("error", "success")
_KINDS = ("ConfigMap", "Deployment", "Service")


def of_operator() -> list[Sample]:
    """Count a few of everything."""
    metrics = Metrics()
    for name, value in _GAUGES.items():
        metrics.gauge(name, name, value.__float__)
    metrics.labelled_gauge("watch_age_seconds", "Age.", "stream", dict.fromkeys(_STREAMS, lambda: 20.0))
    for status in ("True", "False"):
        metrics.reported(Key("studio", status), [Condition(each, status, "", "") for each in _CONDITIONS])
    for result in _RESULTS:
        metrics.reconciles.labels(result).inc(50)
        metrics.seconds.observe(0.02)
    for verb in _VERBS:
        for code in ("200", "404"):
            metrics.requests.labels(verb, code).inc(10)
    for kind in _KINDS:
        metrics.repairs.labels(kind).inc(2)
    return read(generate_latest(metrics.registry).decode())  # type: ignore[no-untyped-call]
