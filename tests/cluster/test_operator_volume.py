"""The claim of Jaeger's volume: what somebody lets it grow to stays, and keeps nothing else from its place."""

import json
import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.api import Object
from tests.cluster.operators import Service
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

CHECKSUM = "texttoimage.dev/config-checksum"


Kubectl = Callable[..., str]
BACKED_OFF = 150.0


@pytest.fixture
def growing(service: Service, kubectl: Kubectl) -> Iterator[str]:
    """Have a volume for the claim, of a class whose claims may grow; return the class."""
    yield from _class(service, kubectl, grows=True)


@pytest.fixture
def fixed(service: Service, kubectl: Kubectl) -> Iterator[str]:
    """Have one of a class whose claims may not grow; return the class."""
    yield from _class(service, kubectl, grows=False)


def _class(service: Service, kubectl: Kubectl, *, grows: bool) -> Iterator[str]:
    """Make a class and a volume of it, on a node that is not there."""
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
    classed: Object = {"provisioner": "example.com/none", "allowVolumeExpansion": grows}
    for api_version, kind, body in (
        ("storage.k8s.io/v1", "StorageClass", classed),
        ("v1", "PersistentVolume", {"spec": volume}),
    ):
        made = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}
        kubectl("create", "--filename=-", input=json.dumps(made))
    yield name
    kubectl("delete", f"persistentvolume/{name}", f"storageclass/{name}", "--wait=false")


def test_a_volume_that_somebody_lets_grow_holds_nothing_up(service: Service, growing: str) -> None:
    before = _create(service, growing)

    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    service.api.patch("persistentvolumeclaims", service.namespace, f"{service.name}-jaeger", larger)
    service.edit(monitoring={"tracing": {"jaeger": {"tailSampling": {"mode": "Enabled"}}}})
    eventually(lambda: _checksum(service) != before, "Jaeger to be rolled")
    assert _size(service) == "2Gi"
    service.wait("TracingReady", "False", "JaegerNotReady")
    assert service.events("Repaired") == []


def test_a_volume_that_may_not_grow_holds_up_nothing_but_itself(service: Service, fixed: str, kubectl: Kubectl) -> None:
    before = _create(service, fixed)
    grown = {"storage": {"badger": {"size": "2Gi"}}, "tailSampling": {"mode": "Enabled"}}
    service.edit(monitoring={"tracing": {"jaeger": grown}})
    message = service.wait("TracingReady", "False", "ApplyFailed")["message"]
    assert "its StorageClass needs allowVolumeExpansion: true" in message
    eventually(lambda: _checksum(service) != before, "Jaeger to be rolled")
    service.ready()

    kubectl("patch", f"storageclass/{fixed}", "--patch", json.dumps({"allowVolumeExpansion": True}))
    eventually(lambda: _size(service) == "2Gi", "the claim to grow", BACKED_OFF)


def _create(service: Service, storage_class: str) -> str:
    """Have traces kept on a volume of a class, and wait until Jaeger has it; return the checksum of its pods."""
    storage = {"type": "Badger", "badger": {"size": "1Gi", "storageClassName": storage_class}}
    service.create(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"storage": storage}}})
    eventually(lambda: _claim(service)["status"]["phase"] == "Bound", "the claim to have its volume")
    return eventually(lambda: _checksum(service), "Jaeger to have its Deployment")


def _size(service: Service) -> str:
    return str(_claim(service)["spec"]["resources"]["requests"]["storage"])


def _claim(service: Service) -> Object:
    return service.child("persistentvolumeclaims", "-jaeger")


def _checksum(service: Service) -> str:
    deployments = service.api.list("deployments", service.namespace)
    jaeger = next(each for each in deployments if each["metadata"]["name"] == f"{service.name}-jaeger")
    return str(jaeger["spec"]["template"]["metadata"]["annotations"][CHECKSUM])
