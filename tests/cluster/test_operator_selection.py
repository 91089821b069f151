"""Whether a Prometheus selects what is made for it, on the Prometheus Operator's own CRDs and without a Prometheus."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import Api, eventually
from tests.cluster.operators import UNOBSERVED, Service

METRICS = {"monitoring": {**UNOBSERVED, "metrics": {"labels": {"release": "mine"}}}}
pytestmark = pytest.mark.usefixtures("prometheus_operator_crds")


@pytest.fixture
def namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """Make one whose Prometheus comes before the stack's, which selects everything: the first in order is named."""
    name = f"early-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def select(api: Api, namespace: str) -> Callable[[str], None]:
    """Make or change a Prometheus that selects ServiceMonitors of its own namespace by the label `release`."""

    def select(release: str) -> None:
        spec = {"serviceMonitorSelector": {"matchLabels": {"release": release}}}
        body = {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "main"},
            "spec": spec,
        }
        path = f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/prometheuses/main"
        api.request("PATCH", path, body, "application/apply-patch+yaml", fieldManager="test")

    return select


def test_a_prometheus_that_no_longer_selects_is_found(
    service: Service, select: Callable[[str], None], api: Api
) -> None:
    others = api.request("GET", "/apis/monitoring.coreos.com/v1/prometheuses")["items"]
    expected = ("True", "Selected") if others else ("False", "NotSelected")
    ours = f"Prometheus {service.namespace}/main"
    select("mine")
    service.create(**METRICS)
    eventually(lambda: f"{ours} selects it" in told(service), "our Prometheus to select it", seconds=60)

    select("theirs")
    eventually(lambda: f"{ours} selects it" not in told(service), "the change to be found")
    service.wait("MetricsReady", *expected)
    assert others or f"{ours} selects release=theirs" in told(service)
    service.ready()
    select("mine")
    eventually(lambda: f"{ours} selects it" in told(service), "the change back to be found")


def told(service: Service) -> str:
    return str(service.conditions()["MetricsReady"]["message"])
