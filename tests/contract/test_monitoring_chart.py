"""The values for the community's chart: what rules, dashboards and exemplars of a resource ask of such a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import dashboards
from t2i_operator.builders.monitoring.jaeger.configuration import configuration
from t2i_operator.builders.monitoring.jaeger.services import query_service
from t2i_operator.spec.alerts import DURATION_BUCKETS
from t2i_service.observing.context import exemplar_for

ROOT = Path(__file__).parents[2]
VALUES = "manifests/kube-prometheus-stack/values.yaml"
SAMPLE = spec.parse(yaml.safe_load((ROOT / "manifests" / "samples" / "text-to-image.yaml").read_text()))


@pytest.fixture
def values() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((ROOT / VALUES).read_text())
    return read


def ours_of(kind: str) -> dict[str, Any]:
    documents = yaml.safe_load_all((ROOT / "k8s" / "eks" / "monitoring.yaml").read_text())
    (ours,) = (document["spec"] for document in documents if document["kind"] == kind)
    return ours  # type: ignore[no-any-return]


def test_its_alertmanager_keeps_what_ours_does(values: dict[str, Any]) -> None:
    assert values["alertmanager"]["alertmanagerSpec"]["storage"] == ours_of("Alertmanager")["storage"]


def test_its_prometheus_keeps_and_takes_in_what_ours_does(values: dict[str, Any]) -> None:
    ours = ours_of("Prometheus")
    theirs = values["prometheus"]["prometheusSpec"]
    assert {name: theirs[name] for name in ("retention", "enableFeatures", "exemplars")} == {
        name: ours[name] for name in ("retention", "enableFeatures", "exemplars")
    }
    assert theirs["storageSpec"] == ours["storage"]
    assert not theirs["serviceMonitorSelectorNilUsesHelmValues"]
    assert not theirs["ruleSelectorNilUsesHelmValues"]


def test_no_target_fills_either_prometheus_and_ours_stay_below(values: dict[str, Any]) -> None:
    """The span metrics are the most: calls, and a histogram with +Inf, sum and count, of each set and an overflow."""
    limits = ("enforcedSampleLimit", "enforcedBodySizeLimit")
    ours, theirs = ours_of("Prometheus"), values["prometheus"]["prometheusSpec"]
    assert [ours[name] for name in limits] == [theirs[name] for name in limits] == [50_000, "50MB"]
    spans = configuration(SAMPLE)["connectors"]["spanmetrics"]
    sets = (spans["aggregation_cardinality_limit"] + 1) * spans["resource_metrics_cache_size"]
    assert 46_000 < sets * (len(DURATION_BUCKETS) + 4) < ours["enforcedSampleLimit"]


def test_its_grafana_puts_dashboards_where_the_operator_says(values: dict[str, Any]) -> None:
    sidecar = values["grafana"]["sidecar"]["dashboards"]
    annotations = dashboards(SAMPLE)[0]["metadata"]["annotations"]
    assert sidecar["folderAnnotation"] in annotations
    assert sidecar["provider"]["foldersFromFilesStructure"]
    assert sidecar["searchNamespace"] == "ALL"


def test_a_dot_leads_to_the_sample_s_jaeger(values: dict[str, Any]) -> None:
    (jaeger,) = values["grafana"]["additionalDataSources"]
    leads = values["grafana"]["sidecar"]["datasources"]["exemplarTraceIdDestinations"]
    service = query_service(SAMPLE)
    where, (port,) = service["metadata"], service["spec"]["ports"]
    assert jaeger["url"] == f"http://{where['name']}.{where['namespace']}:{port['port']}"
    assert (leads["datasourceUid"], jaeger["type"]) == (jaeger["uid"], "jaeger")
    assert leads["traceIdLabelName"] in exemplar_for("a" * 32, "b")


def test_the_readme_installs_with_them() -> None:
    assert f"--values {VALUES}" in (ROOT / "README.md").read_text()
