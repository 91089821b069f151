"""How long the queries of the dashboards take over seven days of one large service, and of its operator."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from t2i_operator import naming
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_service.observing import telemetry

from dashboards.catalog import MANIFESTS, rendered
from dev.bench.exposition import Sample, continued, of_service
from dev.bench.made_by_rules import label_sets, resource
from dev.bench.measure import memory
from dev.bench.operator_metrics import of_operator
from dev.bench.prometheus import Prometheus, observing, version, write_blocks
from dev.bench.span_metrics import of_jaeger
from dev.bench.targets import labels, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from t2i_operator import spec

RANGE = 7 * 86400
# The first day shown is compared with the day a week before.
HELD = RANGE + 8 * 86400
STEP = 60
OPERATOR = "text-to-image-operator"
SERIES = 4000
# Grafana's screen of 24 columns, and how it rounds an interval: (below this, that), in seconds.
PIXELS_A_COLUMN = 1920 / 24
ROUNDED = (
    (90, 60), (210, 120), (450, 300), (750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600),
)  # fmt: skip
REPEATS = 3


class Query(NamedTuple):
    """One target of a panel, its variables filled in."""

    dashboard: str
    panel: str
    expr: str
    step: int
    instant: bool


def queries(seconds: int = RANGE) -> Iterator[Query]:
    """Yield what Grafana asks when each dashboard is opened for so long a range."""
    owner = resource(0)
    for topic, text in rendered().items():
        body = json.loads(text)
        for panel in (panel for panel in body["panels"] if panel["type"] != "row"):
            step = _rounded(seconds / (panel["gridPos"]["w"] * PIXELS_A_COLUMN))
            for target in panel["targets"]:
                if "expr" in target:
                    expr = filled(target["expr"], owner, seconds, step)
                    yield Query(topic, panel["title"], expr, step, instant=bool(target.get("instant")))
        for each in body["annotations"].get("list", ()):
            if "expr" in each:
                yield Query(topic, each["name"], filled(each["expr"], owner, seconds, 600), 600, instant=False)


def filled(expr: str, owner: spec.TextToImageService, seconds: int, step: int) -> str:
    """Replace Grafana's variables; the rate's interval spans a step and a scrape, four scrapes at least."""
    values = {
        "$__rate_interval": f"{max(step + STEP, 4 * STEP)}s",
        "$__range": f"{seconds}s",
        "$namespace": owner.metadata.namespace,
        "$service": naming.service(owner.metadata.name),
        "${jaeger}": owner.metadata.name,
    }
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def dashboard_queries(count: int = SERIES) -> dict[str, Any]:
    """Ask everything of every dashboard, each query three times; its middle time counts."""
    with tempfile.TemporaryDirectory() as folder:
        end = int(time.time()) // STEP * STEP
        exposed = [*_exposed(count)]
        write_blocks(Path(folder), end - HELD, end, lambda *span: _history(exposed, *span))
        with observing(Path(folder)) as prometheus:
            took = {query: _seconds(prometheus, query, end - STEP) for query in queries()}
            series = prometheus.get("query", query='count({__name__!=""})', time=end - STEP)["result"][0]["value"][1]
            peak = memory(prometheus.program.pid).peak
    slowest = sorted(took, key=lambda query: took[query][0], reverse=True)
    return {
        "prometheus": version(),
        "series": int(series),
        "queries": len(took),
        "empty": sorted({query.panel for query in took if not took[query][1]}),
        "sum_ms": round(1000 * sum(seconds for seconds, _ in took.values())),
        "slowest_ms": round(1000 * took[slowest[0]][0], 1),
        "slowest": [{"ms": round(1000 * took[query][0], 1), **query._asdict()} for query in slowest[:5]],
        "peak_mib": peak,
    }


def _seconds(prometheus: Prometheus, query: Query, end: int) -> tuple[float, int]:
    """Return how long it takes, and how many series come."""
    took, found = [], 0
    for _ in range(REPEATS):
        begun = time.perf_counter()
        if query.instant:
            answer = prometheus.get("query", query=query.expr, time=end)
        else:
            answer = prometheus.get("query_range", query=query.expr, start=end - RANGE, end=end, step=query.step)
        took.append(time.perf_counter() - begun)
        found = len(answer["result"])
    return statistics.median(took), found


def _exposed(count: int) -> Iterator[tuple[Sequence[Sample], str]]:
    """Yield samples and their target until there are so many series: what there is once, then pod after pod."""
    owner = resource(0)
    service = naming.service(owner.metadata.name)
    rules = [*_recorded(owner), *_firing(prometheus_rule(owner))]
    jaeger, operator = of_jaeger(owner), of_operator()
    theirs = [*_firing(yaml.safe_load((MANIFESTS / "prometheus_rule.yaml").read_text()))]
    yield rules, spelled({"namespace": owner.metadata.namespace, "service": service})
    yield jaeger, spelled(labels(owner, naming.jaeger_collector(owner.metadata.name)))
    # Its dashboard is asked with the same namespace.
    yield operator, spelled({"namespace": owner.metadata.namespace, "job": OPERATOR})
    yield theirs, spelled({"namespace": owner.metadata.namespace, "job": OPERATOR})
    left = count - len(rules) - len(jaeger) - len(operator) - len(theirs)
    samples = [Sample("up", "", 1, counts=False), *of_service(), *_troubled()]
    for pod in range(left // len(samples) + 1):
        yield samples[: left - pod * len(samples)], spelled(labels(owner, service, pod))


def _recorded(owner: spec.TextToImageService) -> Iterator[Sample]:
    for group in prometheus_rule(owner)["spec"]["groups"]:
        for rule in (rule for rule in group["rules"] if "record" in rule):
            for each in label_sets(rule):
                own = {name: value for name, value in each.items() if name not in ("namespace", "service")}
                yield Sample(rule["record"], spelled(own), 1, counts=False)


def _firing(rule: dict[str, Any]) -> Iterator[Sample]:
    """Have every alert fire all the time: the annotations read them."""
    alerts = (each for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each)
    for number, alert in enumerate(alerts):
        own = {"alertname": alert["alert"], "severity": alert["labels"]["severity"], "number": str(number)}
        yield Sample("ALERTS", spelled({**own, "alertstate": "firing"}), 1, counts=False)


def _troubled() -> Iterator[Sample]:
    """Yield what a sandbox without a collector has none of."""
    values = {"model": "sdxl", "reason": "rate_limited", "type": "output", "exporter": "otlp"}
    for metric in (telemetry.MODEL_TOKENS, telemetry.MODEL_RETRIES, telemetry.UPSTREAM_ERRORS, telemetry.SPANS_DROPPED):
        yield Sample(metric.name, spelled({label: values[label] for label in metric.labels}), 3, counts=True)


def _history(exposed: Sequence[tuple[Sequence[Sample], str]], begin: int, end: int) -> Iterator[str]:
    for samples, target in exposed:
        yield from continued(samples, target, begin - begin % STEP, end, STEP)


def _rounded(seconds: float) -> int:
    return next((step for below, step in ROUNDED if seconds < below), 7200)
