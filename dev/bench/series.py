"""How many series a service adds to Prometheus: what it exposes, what its rules record, and the most it can ever be.

The most is a product: every label of the service takes its values from a list that is closed before the first request
(routes, methods, statuses, reasons, the resource's own models and keys), whatever a client sends.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_service.errors import ServiceError
from t2i_service.observing import telemetry
from t2i_service.observing.metrics import STATUSES
from t2i_service.providers import upstream_errors

from dev.bench.exposition import of_service
from dev.bench.made_by_rules import OBJECTIVES, label_sets, resource
from dev.bench.programs import SERVICE, http, serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from t2i_service.observing.telemetry import Metric

# Prometheus' client library: the process, the interpreter, its garbage collector.
RUNTIME_SERIES = 16
# By Starlette, the middleware and the protocol; the rest are the service's own errors.
PLAIN_STATUSES = frozenset({200, 202, 206, 400, 404, 405, 408, 413, 415, 416, 422, 429, 431, 499, 500})
# `up` and four on the scrape itself, by Prometheus for each target.
SCRAPE_SERIES = 5
# What is asked or thought of a generation whose model the pod does not know is counted under `other`.
OF_OTHER_MODELS_TOO = {telemetry.MODEL_RETRIES, telemetry.UPSTREAM_ERRORS, telemetry.FEEDBACK}
# Routes that the schema leaves out: the pages, and what they load. The schema itself is asked for under no route.
UNDESCRIBED = frozenset({"/", "/docs", "/docs/{asset}"})


class Extent(NamedTuple):
    """What a resource decides: how many models, currencies and API keys there are."""

    models: int = 1
    currencies: int = 1
    keys: int = 0


def values_of(label: str, metric: Metric, extent: Extent, endpoints: Iterable[str]) -> int:
    """Return how many values a label can take; what follows from the model takes one for each."""
    if metric is telemetry.HTTP_REQUESTS and label == "status":
        return len(http_statuses())
    bounds = {
        "method": len(telemetry.METHODS) + 1,
        "endpoint": len(set(endpoints)) + 1,
        "status": len(STATUSES),
        "model": extent.models + (metric in OF_OTHER_MODELS_TOO),
        "provider": 1,
        "currency": 1,
        "type": 2,
        "rating": 2,
        "key": extent.keys + 1,
        "exporter": 2,
        "version": 1,
        "commit": 1,
    }
    reasons = {
        telemetry.MODEL_RETRIES: len(upstream_errors.worth_asking_again()),
        telemetry.UPSTREAM_ERRORS: len(upstream_errors.reasons()),
        telemetry.REJECTED: 5,
        telemetry.SPANS_DROPPED: 2,
    }
    return reasons[metric] if label == "reason" else bounds[label]


def bound(extent: Extent, endpoints: Iterable[str]) -> dict[str, int]:
    """Return the most series that a pod exposes, by metric."""
    endpoints = list(endpoints)
    samples = {"histogram": len(telemetry.DURATION_BUCKETS) + 3, "counter": 1, "gauge": 1}
    most = {
        metric.name: samples[metric.kind]
        * math.prod(values_of(label, metric, extent, endpoints) for label in metric.labels)
        for metric in telemetry.METRICS
    }
    return {**most, "python and process": RUNTIME_SERIES, "scrape": SCRAPE_SERIES}


def http_statuses() -> set[int]:
    """Return every status that the service can answer."""
    return {kind.status for kind in _kinds(ServiceError)} | PLAIN_STATUSES


def recorded(groups: Iterable[dict[str, Any]], extent: Extent) -> dict[str, int]:
    """Return the most series that rules make: recorded ones, and two for each alert that may be pending or firing."""
    counts = {"recorded": 0, "alerts": 0}
    for rule in (rule for group in groups for rule in group["rules"]):
        if "alert" in rule:
            counts["alerts"] += 2 * _of_alert(rule, extent)
        else:
            currencies = tuple(str(number) for number in range(extent.currencies))
            counts["recorded"] += len([*label_sets(rule, currencies)])
    return counts


def series() -> dict[str, Any]:
    """Count for the default resource with a budget, after ordinary traffic, and bound."""
    with serving(SERVICE, {}) as service:
        endpoints = endpoints_of(json.loads(http(f"{service.url}/openapi.json")))
    samples, extent = of_service(), Extent()
    rules = prometheus_rule(resource(0))["spec"]["groups"]
    most = bound(extent, endpoints)
    return {
        "exposed_a_pod": len(samples) + SCRAPE_SERIES,
        "exposed_a_pod_at_most": sum(most.values()),
        "exposed_at_most_for_each_further_model": sum(bound(Extent(models=2), endpoints).values()) - sum(most.values()),
        "by_metric_at_most": most,
        "made_by_rules_at_most": recorded(rules, extent),
        "rules": sum(len(group["rules"]) for group in rules),
        "rules_bytes": len(json.dumps(rules)),
    }


def endpoints_of(schema: Mapping[str, Any]) -> set[str]:
    """Return the templates of the service's routes: what stands in the label `endpoint` beside `unmatched`."""
    return {*schema["paths"], *UNDESCRIBED}


def _kinds(kind: type[ServiceError]) -> set[type[ServiceError]]:
    return {kind, *(each for child in kind.__subclasses__() for each in _kinds(child))}


def _of_alert(rule: dict[str, Any], extent: Extent) -> int:
    """Most alerts are one; a breaker is a model's, cost a currency's, an error budget an objective's."""
    if "by (model)" in rule["expr"]:
        return extent.models
    if "burn_rate" in rule["labels"]:
        return 1 if "slo" in rule["labels"] else len(OBJECTIVES)
    return extent.currencies if rule["labels"].get("signal") == "cost" else 1
