"""Relabelings of a resource on the real Prometheus: a series stays its service's, whatever a pod says of itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator import spec
from t2i_operator.builders.monitoring.service_monitor import service_monitor

from dev.bench.exposition import Sample
from dev.bench.prometheus import observing
from dev.bench.targets import exposing, labels
from tests.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path

FORGED = Sample("forged_total", 'namespace="theirs",service="their-service",job="their-service"', 1.0, counts=False)
OWN = {"namespace": "studio", "service": "pictures-service", "job": "pictures-service"}
PATIENCE_SECONDS = 60
STEPS: dict[str, list[dict[str, Any]]] = {
    "relabelings": [{"action": "labeldrop", "regex": "namespace|service|job"}],
    "metricRelabelings": [
        {"action": "labelmap", "regex": "exported_name(space)", "replacement": "name$1"},
        {"action": "labelmap", "regex": "exported_ser(vice)", "replacement": "ser$1"},
        {"action": "labelmap", "regex": "exported_j(ob)", "replacement": "j$1"},
    ],
}


def as_prometheus_reads(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in step.items()} for step in steps]


@pytest.mark.parametrize("field", STEPS)
def test_a_pod_s_series_do_not_pass_for_another_service_s(field: str, tmp_path: Path) -> None:
    body = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "monitoring": {"metrics": {field: STEPS[field]}}}
    resource = spec.parse({"metadata": {"name": "pictures", "namespace": "studio"}, "spec": body})
    (endpoint,) = service_monitor(resource)["spec"]["endpoints"]
    with exposing([FORGED], [labels(resource, "pictures-service")]) as scrape:
        scrape |= {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "relabel_configs": as_prometheus_reads(endpoint["relabelings"]),
            "metric_relabel_configs": as_prometheus_reads(endpoint.get("metricRelabelings", [])),
        }
        with observing(tmp_path, [scrape]) as prometheus:
            (found,) = wait_for(lambda: prometheus.get("query", query="forged_total")["result"], PATIENCE_SECONDS)
            assert {name: found["metric"].get(name) for name in OWN} == OWN
