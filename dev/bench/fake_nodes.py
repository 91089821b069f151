"""Nodes of no machine, by kwok: their pods are Running and Ready as soon as they are scheduled, and use nothing."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dev.bench.programs import free_port, running
from dev.cluster.kubectl import kubectl
from dev.cluster.tools import Tool
from dev.cluster.workshop import workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster.paths import Layout

KWOK = Tool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok")
NODES, PODS_A_NODE = 10, 250
PLACE = {"texttoimage.dev/fake": "true"}
TAINT = {"key": "texttoimage.dev/fake", "value": "true", "effect": "NoSchedule"}
# What a pod asks for to be put there.
POD_SPEC: dict[str, Any] = {"nodeSelector": PLACE, "tolerations": [TAINT]}
# RFC 2544 gives these addresses to benchmarks.
ADDRESSES = "198.18.0.0/15"

_READY = """
    {{ $now := Now | Quote }}
    phase: Running
    startTime: {{ $now }}
    podIP: {{ PodIPWith .spec.nodeName false .metadata.uid .metadata.name .metadata.namespace | Quote }}
    conditions:
    {{ range $type := (list "Initialized" "ContainersReady" "Ready") }}
    - {type: {{ $type }}, status: "True", lastTransitionTime: {{ $now }}}
    {{ end }}
    containerStatuses:
    {{ range .spec.containers }}
    - name: {{ .name | Quote }}
      image: {{ .image | Quote }}
      ready: true
      started: true
      restartCount: 0
      state: {running: {startedAt: {{ $now }}}}
    {{ end }}
"""
_NODE = """
    {{ $now := Now | Quote }}
    conditions:
    {{ range NodeConditions }}
    - type: {{ .type }}
      status: {{ .status | Quote }}
      reason: {{ .reason }}
      message: {{ .message | Quote }}
      lastHeartbeatTime: {{ $now }}
      lastTransitionTime: {{ $now }}
    {{ end }}
"""


@contextmanager
def fake_nodes(layout: Layout) -> Iterator[None]:
    """Have them until the block ends; kwok is built when it is not cached."""
    with workshop(layout) as shop:
        program = shop.programs((KWOK,))["kwok"]
    names = [f"fake-{number}" for number in range(NODES)]
    kubectl(layout, "apply", "--filename=-", feed=_documents(map(_node, names)))
    try:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as stages:
            stages.write(_documents(_stages()))
            stages.flush()
            port = free_port()
            argv = [f"--kubeconfig={layout.kubeconfig}", f"--config={stages.name}", f"--cidr={ADDRESSES}"]
            argv += ["--manage-all-nodes=false", "--manage-nodes-with-label-selector=texttoimage.dev/fake=true"]
            argv += [f"--server-address=127.0.0.1:{port}", "--node-lease-duration-seconds=40"]
            with running([program, *argv], port, "/healthz", {}):
                kubectl(layout, "wait", "--for=condition=Ready", "--timeout=60s", *(f"node/{name}" for name in names))
                yield
    finally:
        kubectl(layout, "delete", "node", "--ignore-not-found", *names)


def _node(name: str) -> dict[str, Any]:
    room = {"cpu": "1000", "memory": "1Ti", "pods": str(PODS_A_NODE)}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**PLACE, "kubernetes.io/hostname": name}},
        "spec": {"taints": [TAINT]},
        "status": {"allocatable": room, "capacity": room},
    }


def _stages() -> Iterator[dict[str, Any]]:
    living = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}
    leaving = {"key": ".metadata.deletionTimestamp", "operator": "Exists"}
    pending = {"key": ".status.phase", "operator": "In", "values": ["Pending"]}
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    unready = {"key": ready, "operator": "NotIn", "values": ["True"]}
    yield _stage("node-ready", "Node", [unready], {"statusTemplate": _NODE})
    yield _stage("pod-ready", "Pod", [living, pending], {"statusTemplate": _READY})
    yield _stage("pod-gone", "Pod", [leaving], {"delete": True})


def _stage(name: str, kind: str, when: list[dict[str, Any]], then: dict[str, Any]) -> dict[str, Any]:
    resource = {"apiGroup": "v1", "kind": kind}
    spec = {"resourceRef": resource, "selector": {"matchExpressions": when}, "next": then}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def _documents(objects: Iterator[dict[str, Any]]) -> str:
    return "\n---\n".join(json.dumps(each) for each in objects)
