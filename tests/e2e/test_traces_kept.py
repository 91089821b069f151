"""Traces on a volume: Jaeger's pod goes, and what it has been told stays."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.jaeger import traces_of
from tests.e2e.subject import SANDBOX, Subject, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev.cluster.paths import Layout


@pytest.fixture
def kept(stack: None, subject: Subject, cluster: Layout, kubectl: Callable[..., str]) -> Iterator[Subject]:
    """Give a service whose Jaeger has a volume made by hand: a cluster of one node has nobody to make it.

    Anybody may write there, since the kubelet gives no `hostPath` to the pod's group. The class, which no object
    stands for, keeps the claim from a default that the cluster may have.
    """
    folder, name = cluster.data / "volumes" / subject.namespace, f"traces-{subject.namespace}"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    volume = {
        "storageClassName": name,
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder), "type": "Directory"},
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume}
    kubectl("create", "--filename=-", input=json.dumps(body))
    storage = {"type": "Badger", "badger": {"size": "1Gi", "storageClassName": name}}
    subject.apply({**SANDBOX, "monitoring": {"tracing": {"jaeger": {"storage": storage}}}})
    yield subject
    subject.delete()
    until(lambda: not _jaeger_s(subject), "Jaeger to be gone from the volume")
    kubectl("delete", "persistentvolume", name, "--wait=false")
    shutil.rmtree(folder)


@pytest.mark.timeout(300)
def test_traces_outlive_the_pod_that_took_them(kept: Subject, kubectl: Callable[..., str]) -> None:
    kept.ready()
    kept.wait("TracingReady", "True", seconds=120)
    request_id = kept.generate(width=64, height=64).headers["x-request-id"]
    before = until(lambda: _spans(kept, request_id), "the trace", 60)
    (pod,) = _jaeger_s(kept)
    kubectl("delete", "pod", pod["metadata"]["name"], "-n", kept.namespace)

    after = until(lambda: _spans(kept, request_id), "the trace from another pod", 90)

    assert pod["metadata"]["uid"] not in {each["metadata"]["uid"] for each in _jaeger_s(kept)}
    assert before <= after


def _jaeger_s(subject: Subject) -> list[dict[str, Any]]:
    """Return its pods, for as long as they are there."""
    selector = f"app.kubernetes.io/instance={subject.name},app.kubernetes.io/component=jaeger"
    found = json.loads(subject.kubectl("get", "pods", "-n", subject.namespace, "-l", selector, "-o", "json"))
    pods: list[dict[str, Any]] = found["items"]
    return pods


def _spans(subject: Subject, request_id: str) -> set[tuple[str, str]]:
    """Return the names of the spans by id, the root and the model's among them."""
    (trace,) = traces_of(subject, request_id) or [{"spans": ()}]
    spans = {(span["spanID"], span["operationName"]) for span in trace["spans"]}
    assert {"generate_image", "sandbox_sdxl"} <= {name for _, name in spans}, spans
    return spans
