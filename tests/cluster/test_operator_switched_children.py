"""The objects that a service has only if its spec asks: made, repaired, pruned, and left alone if another's."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pytest

from dev.cluster.paths import Layout
from tests.api import Api, Object
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric, writes
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("gateway_api")
Path = tuple[str, ...]
RECONCILES = 't2i_operator_reconciles_total{result="success"}'


class Switched(NamedTuple):
    """A kind, what switches it on and off, and a field to break with the value to break it."""

    plural: str
    kind: str
    on: Object
    off: Object
    field: Path
    broken: object

    @property
    def api_version(self) -> str:
        groups = {"horizontalpodautoscalers": "autoscaling/v2", "poddisruptionbudgets": "policy/v1"}
        gateway_api = "gateway.networking.k8s.io/v1"
        return groups.get(self.plural) or (gateway_api if self.plural == "httproutes" else "networking.k8s.io/v1")


# Spelled as the API server would not spell it, or with defaults left to it: none of that may look like drift.
AUTOSCALING: Object = {
    "minReplicas": 2,
    "maxReplicas": 4,
    "metrics": [
        {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "0.5Gi"}},
        },
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "active_requests"},
                "target": {"type": "AverageValue", "averageValue": "1500m"},
            },
        },
        {
            "type": "External",
            "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": 2000}},
        },
    ],
    "behavior": {
        "scaleUp": {"policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}]},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    },
}
POLICY: Object = {
    "mode": "Managed",
    "ingressFrom": [{"namespaceSelector": {}}],
    "egressTo": [{"ipBlock": {"cidr": "10.20.0.0/16"}, "ports": [{"port": 3128}]}],
}
INGRESS: Object = {"host": "images.example.com", "tls": {}, "annotations": {"example.com/timeout": "200"}}
ROUTE: Object = {"parentRefs": [{"name": "public"}], "hostnames": ["images.example.com"], "path": "/images"}
CHILDREN = [
    Switched(
        "horizontalpodautoscalers",
        "HorizontalPodAutoscaler",
        {"autoscaling": AUTOSCALING},
        {"autoscaling": None},
        ("spec", "maxReplicas"),
        9,
    ),
    Switched(
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        {"replicas": 2},
        {"podDisruptionBudget": {"mode": "Disabled"}},
        ("spec", "maxUnavailable"),
        2,
    ),
    Switched(
        "networkpolicies",
        "NetworkPolicy",
        {"networkPolicy": POLICY},
        {"networkPolicy": {"mode": "Disabled"}},
        ("spec", "ingress"),
        [],
    ),
    Switched(
        "ingresses",
        "Ingress",
        {"ingress": INGRESS},
        {"ingress": None},
        ("spec", "rules"),
        [{"host": "other.example.com"}],
    ),
    Switched(
        "httproutes",
        "HTTPRoute",
        {"httpRoute": ROUTE},
        {"httpRoute": None},
        ("spec", "hostnames"),
        ["other.example.com"],
    ),
]
# A service is reached in one way only, and its replicas are to be enough for a budget.
TOGETHER: dict[str, Object] = {
    "scaled": {"autoscaling": AUTOSCALING, "networkPolicy": POLICY, "ingress": INGRESS},
    "routed": {"replicas": 2, "httpRoute": ROUTE},
}
each_child = pytest.mark.parametrize("child", CHILDREN, ids=lambda child: child.kind)
SCALED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"}
# What somebody else might have made under the name.
FOREIGN: dict[str, Object] = {
    "HorizontalPodAutoscaler": {"scaleTargetRef": SCALED, "maxReplicas": 3},
    "PodDisruptionBudget": {"minAvailable": 1, "selector": {"matchLabels": {"app": "theirs"}}},
    "NetworkPolicy": {"podSelector": {}, "policyTypes": ["Ingress"]},
    "Ingress": {"defaultBackend": {"service": {"name": "theirs", "port": {"number": 80}}}},
    "HTTPRoute": {"hostnames": ["theirs.example.com"]},
}
# Pods that no scheduler takes: what runs in them is no matter here.
PARKED = {"podTemplate": {"spec": {"schedulerName": "none"}}}


@pytest.fixture
def running(common_service: Service, child: Switched) -> Service:
    """Return a service that has the child, and others which the test's other cases look at."""
    name, spec = next((name, spec) for name, spec in TOGETHER.items() if child.on.items() <= spec.items())
    service = common_service.beside(name)
    if not service.exists():
        service.create(**PARKED, **spec)
    eventually(lambda: owned(service, child), f"the {child.kind}")
    return service


def at(live: Object, path: Path) -> object:
    """Return the value at a path; None where it ends early."""
    found: object = live
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def nested(path: Path, value: object) -> Object:
    """Return the merge patch that sets the value at a path."""
    return {path[0]: value if len(path) == 1 else nested(path[1:], value)}


def owned(service: Service, child: Switched) -> bool:
    """Tell whether the object is there and the resource's."""
    live = service.api.find(child.plural, service.namespace, service.name)
    owners = live["metadata"].get("ownerReferences", ()) if live else ()
    return [each["uid"] for each in owners if each.get("controller")] == [service.live()["metadata"]["uid"]]


def gone(service: Service, child: Switched) -> bool:
    return service.api.find(child.plural, service.namespace, service.name) is None


def break_it(service: Service, child: Switched, change: Object) -> None:
    service.api.patch(child.plural, service.namespace, service.name, change)


@each_child
def test_it_is_there_only_while_the_spec_asks(running: Service, child: Switched) -> None:
    def told() -> bool:
        return child.kind in {each["kind"] for each in running.live()["status"]["objects"]}

    eventually(told, "the status to tell")

    running.edit(**child.off)

    eventually(partial(gone, running, child), f"the {child.kind} to be pruned")
    eventually(lambda: not told(), "the status to tell")


@each_child
def test_a_changed_field_is_put_back(running: Service, child: Switched) -> None:
    before = at(running.child(child.plural), child.field)
    break_it(running, child, nested(child.field, child.broken))

    eventually(lambda: at(running.child(child.plural), child.field) == before, "the field to be put back")


@each_child
def test_a_removed_label_and_owner_are_put_back(running: Service, child: Switched) -> None:
    label = ("metadata", "labels", "app.kubernetes.io/managed-by")
    break_it(running, child, {"metadata": {"labels": {label[-1]: None}, "ownerReferences": None}})

    eventually(lambda: at(running.child(child.plural), label), "the label to be put back")
    eventually(lambda: owned(running, child), "the owner to be put back")


@each_child
def test_a_deleted_object_is_made_again(running: Service, child: Switched) -> None:
    before = running.child(child.plural)["metadata"]["uid"]
    running.api.delete(child.plural, running.namespace, running.name)

    eventually(lambda: running.child(child.plural)["metadata"]["uid"] != before, "another object of the name")


@each_child
def test_it_has_no_label_or_annotation_that_the_spec_does_not_name(running: Service, child: Switched) -> None:
    metadata = running.child(child.plural)["metadata"]

    assert {name.partition("/")[0] for name in metadata["labels"]} == {"app.kubernetes.io"}
    given = child.on.get("ingress", {}).get("annotations", {})
    assert metadata["annotations"].items() >= given.items()
    assert set(metadata["annotations"]) - set(given) == {"texttoimage.dev/owner-uid"}


@each_child
def test_a_foreign_object_is_left_alone(service: Service, child: Switched) -> None:
    body = {"apiVersion": child.api_version, "kind": child.kind, "metadata": {"name": service.name}}
    theirs = service.api.create(child.plural, service.namespace, {**body, "spec": FOREIGN[child.kind]})
    service.create(**PARKED, **child.on)

    condition = service.wait("Accepted", "False", "Conflict")
    assert f"{child.kind} {service.name}" in condition["message"]
    service.edit(**child.off)
    service.wait("Accepted", "True")
    after = service.child(child.plural)
    assert (after["metadata"]["uid"], after["spec"]) == (theirs["metadata"]["uid"], theirs["spec"])
    assert "ownerReferences" not in after["metadata"]


def test_an_autoscaler_never_scales_another_s_deployment(service: Service) -> None:
    labels = {"app": "theirs"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "theirs", "image": "theirs"}]}}
    body = {"selector": {"matchLabels": labels}, "replicas": 0, "template": template}
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": service.name}, "spec": body}
    service.api.create("deployments", service.namespace, theirs)
    service.create(autoscaling=AUTOSCALING, networkPolicy=POLICY)

    service.wait("Accepted", "False", "Conflict")
    assert service.api.find("networkpolicies", service.namespace, service.name)
    assert service.api.find("horizontalpodautoscalers", service.namespace, service.name) is None


def test_an_ingress_never_opens_another_s_service(service: Service) -> None:
    body = {"ports": [{"port": 80, "name": "http"}]}
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"{service.name}-service"}, "spec": body}
    service.api.create("services", service.namespace, theirs)
    service.create(**PARKED, autoscaling=AUTOSCALING, ingress=INGRESS)

    service.wait("Accepted", "False", "Conflict")
    eventually(lambda: service.child("horizontalpodautoscalers"), "what does not need the Service")
    assert service.api.find("ingresses", service.namespace, service.name) is None


@pytest.fixture
def alone(namespace: str, crd: str, own_account: OperatorAccount) -> Iterator[OperatorProcess]:
    """Run an operator for this test's namespace only, so that its looks can be counted."""
    operator = own_account.process("alone", namespaces=namespace, leader_election=False, resync_seconds=1)
    operator.start()
    yield operator
    operator.stop()


@pytest.mark.parametrize("way_in", [{"ingress": INGRESS}, {"httpRoute": ROUTE}], ids=["Ingress", "HTTPRoute"])
def test_resyncs_and_a_restart_write_nothing(
    api: Api, namespace: str, alone: OperatorProcess, cluster: Layout, way_in: Object
) -> None:
    service = Service(api, namespace, alone.class_name)
    asked = {"autoscaling": AUTOSCALING, "networkPolicy": POLICY, **way_in}
    asked["monitoring"] = {"tracing": {"mode": "Disabled"}}
    service.create(**PARKED, **asked)
    for child in (each for each in CHILDREN if each.on.keys() <= asked.keys()):
        eventually(partial(owned, service, child), f"the {child.kind}")

    def written_since(offset: int) -> list[Object]:
        account = f"system:serviceaccount:{alone.class_name}:operator"
        found = [{"verb": each["verb"], **each["objectRef"]} for each in writes(cluster.audit_log, account, offset)]
        return [each for each in found if each.get("namespace") == namespace]

    def three_looks_since(offset: int) -> list[Object]:
        before = metric(alone, RECONCILES)
        eventually(lambda: metric(alone, RECONCILES) >= before + 3, "three looks")
        return written_since(offset)

    eventually(lambda: not three_looks_since(cluster.audit_log.stat().st_size), "the operator to be done")
    alone.stop()
    offset = cluster.audit_log.stat().st_size
    alone.start()
    eventually(lambda: metric(alone, RECONCILES), "a first look by the new process")
    assert three_looks_since(offset) == []
