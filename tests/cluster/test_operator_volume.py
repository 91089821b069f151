"""The claim of Jaeger's volume: what somebody lets it grow to stays, and keeps nothing else from its place."""

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import Object, eventually
from tests.cluster.operators import UNOBSERVED, Service

CHECKSUM = "texttoimage.dev/config-checksum"


@pytest.fixture
def growing(service: Service, kubectl: Callable[..., str]) -> Iterator[str]:
    """Have a volume for the claim, of a class whose claims may grow, on a node that is not there; return the class."""
    name = f"grows-{uuid.uuid4().hex[:6]}"
    claim = {"namespace": service.namespace, "name": f"{service.name}-jaeger"}
    nowhere = {"key": "example.com/nowhere", "operator": "Exists"}
    volume = {
        "storageClassName": name,
        "claimRef": claim,
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "local": {"path": "/nowhere"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [nowhere]}]}},
    }
    classed: Object = {"provisioner": "example.com/none", "allowVolumeExpansion": True}
    for api_version, kind, body in (
        ("storage.k8s.io/v1", "StorageClass", classed),
        ("v1", "PersistentVolume", {"spec": volume}),
    ):
        made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}
        kubectl("create", "--filename=-", input=json.dumps(made))
    yield name
    kubectl("delete", f"persistentvolume/{name}", f"storageclass/{name}", "--wait=false")


def test_a_volume_that_somebody_lets_grow_holds_nothing_up(service: Service, growing: str) -> None:
    storage = {"type": "Badger", "badger": {"size": "1Gi", "storageClassName": growing}}
    service.create(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"storage": storage}}})
    eventually(lambda: _claim(service)["status"]["phase"] == "Bound", "the claim to have its volume")
    before = eventually(lambda: _checksum(service), "Jaeger to have its Deployment")

    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    service.api.patch("persistentvolumeclaims", service.namespace, f"{service.name}-jaeger", larger)
    service.edit(monitoring={"tracing": {"jaeger": {"tailSampling": {"mode": "Enabled"}}}})
    eventually(lambda: _checksum(service) != before, "Jaeger to be rolled")
    assert _claim(service)["spec"]["resources"]["requests"]["storage"] == "2Gi"
    service.wait("TracingReady", "False", "JaegerNotReady")
    assert service.events("Repaired") == []


def _claim(service: Service) -> Object:
    return service.child("persistentvolumeclaims", "-jaeger")


def _checksum(service: Service) -> str:
    deployments = service.api.list("deployments", service.namespace)
    jaeger = next(each for each in deployments if each["metadata"]["name"] == f"{service.name}-jaeger")
    return str(jaeger["spec"]["template"]["metadata"]["annotations"][CHECKSUM])
