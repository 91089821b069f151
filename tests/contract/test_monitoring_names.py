"""What rules and dashboards query is what somebody emits: names and labels, in both directions where it matters."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import t2i_operator.builders.monitoring
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_operator.spec.alerts import DURATION_BUCKETS
from t2i_service.observing import telemetry
from t2i_service.observing.metrics import STATUSES

from dev.bench.made_by_rules import label_sets

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).parents[1] / "rules" / "golden.yaml"
GENERATED = Path(t2i_operator.builders.monitoring.__file__).parent / "dashboards"

# Put there by Prometheus and the Prometheus Operator, on every series of a target.
TARGET = {"namespace", "service", "pod", "job", "instance", "container"}
# By others than the service: Prometheus itself, its client library, Jaeger's collector (tried on a running one).
SPAN = {"service_name", "span_name", "span_kind", "status_code", "gen_ai_request_model", "error_type"}
OTHERS = {
    "up": set(),
    "process_cpu_seconds_total": set(),
    "process_resident_memory_bytes": set(),
    "ALERTS": {"alertname", "alertstate", "severity"},
    "traces_span_metrics_calls_total": SPAN,
    "traces_span_metrics_duration_seconds_bucket": SPAN | {"le"},
    "otelcol_receiver_accepted_spans_total": {"receiver", "transport"},
}
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}")


def _resource() -> spec.TextToImageService:
    return spec.parse(yaml.safe_load(GOLDEN.read_text()))


def _rules() -> list[dict[str, Any]]:
    return [rule for group in prometheus_rule(_resource())["spec"]["groups"] for rule in group["rules"]]


def _expressions() -> Iterator[tuple[str, str]]:
    for rule in _rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for file in sorted(GENERATED.glob("*.json")):
        for expr in _found(json.loads(file.read_text())):
            # Grafana fills these in: any value will do for reading the expression.
            yield file.stem, expr.replace("${jaeger}", "jaeger")


def _found(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (node[key] for key in ("expr", "query") if isinstance(node.get(key), str) and "{" in node[key])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _found(item)


def _emitted() -> dict[str, set[str]]:
    known: dict[str, set[str]] = {name: set(labels) for name, labels in OTHERS.items()}
    for metric in telemetry.METRICS:
        names = [metric.name]
        if metric.kind == "histogram":
            names = [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        for name in names:
            known[name] = set(metric.labels) | ({"le"} if name.endswith("_bucket") else set())
    for rule in _rules():
        if "record" in rule:
            known.setdefault(rule["record"], {"currency"}).update(*label_sets(rule))
    return known


@pytest.mark.parametrize(("where", "expr"), list(_expressions()))
def test_what_is_queried_is_emitted(where: str, expr: str) -> None:
    emitted = _emitted()
    for name, matchers in SELECTOR.findall(expr):
        assert name in emitted, f"{where} queries {name}, which nobody emits"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - TARGET
        # `status` on durations: the service times no 202, so `status!="202"`, shared with the counter, leaves all in.
        allowed = emitted[name] | ({"status"} if name.startswith("http_request_duration") else set())
        assert labels <= allowed, f"{where} asks {name} for {labels - allowed}"


def test_outcomes_that_are_asked_for_are_counted() -> None:
    """A word that the service does not count would match nothing, and an alert on it would stay silent."""
    counted = {telemetry.GENERATIONS.name, telemetry.MODEL_GENERATIONS.name}
    asked: set[str] = set()
    for _, expr in _expressions():
        for name, matchers in SELECTOR.findall(expr):
            if name in counted:
                asked.update(*(words.split("|") for words in re.findall(r'status=~?"([^"]*)"', matchers)))
    assert {"success", "error"} <= asked <= set(STATUSES)


def test_thresholds_are_bounds_of_the_service_s_buckets() -> None:
    assert tuple(float(spec.seconds(bound)) for bound in DURATION_BUCKETS) == telemetry.DURATION_BUCKETS


def test_every_expression_names_one_service() -> None:
    """A selector without both labels would mix services; series of Jaeger name its own Service."""
    for where, expr in _expressions():
        for name, matchers in SELECTOR.findall(expr):
            wanted = {"namespace", "service"}
            if expr.startswith("label_values("):
                wanted = {"namespace"}
            assert wanted <= set(re.findall(r"(\w+)\s*=", matchers)), f"{where}: {name}{{{matchers}}}"
