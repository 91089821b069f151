"""The values for the community's chart: what rules, dashboards and exemplars of a resource ask of such a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.dashboard import dashboards
from t2i_operator.builders.monitoring.jaeger.services import query_service
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


def test_what_others_show_has_no_limit_of_ours(values: dict[str, Any]) -> None:
    """Of a large cluster kube-state-metrics and the kubelet pass any that suits us: our ServiceMonitors have theirs."""
    theirs = values["prometheus"]["prometheusSpec"]
    assert not {"enforcedSampleLimit", "enforcedBodySizeLimit"} & theirs.keys()
    assert "enforcedSampleLimit" not in ours_of("Prometheus"), "it takes in every ServiceMonitor of the cluster"


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
