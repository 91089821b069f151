"""Operators that look after a part of what is there: of a class, or of some namespaces."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from t2i_operator.known.contest import LIMIT

from dev.cluster.paths import Layout
from tests.api import Api
from tests.cluster.fault_proxy import FaultProxy
from tests.cluster.operators import IMAGE, OperatorAccount, OperatorProcess, Service, kubeconfig_of, metric, writes
from tests.cluster.rights import may
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

Kubectl = Callable[..., str]
# Longer than it takes to try four times to take up a stream.
OLD_SECONDS = 15.0
LOOKS = 't2i_operator_reconciles_total{result="success"}'
STALLED = 't2i_operator_resources{condition="Stalled",status="True"}'


def _level(service: Service) -> str:
    (container,) = service.child("deployments")["spec"]["template"]["spec"]["containers"]
    (level,) = [each["value"] for each in container["env"] if each["name"] == "LOG_LEVEL"]
    found: str = level
    return found


@pytest.fixture
def classes(make_account: Callable[[], OperatorAccount], crd: str, namespace: str) -> Iterator[list[OperatorProcess]]:
    """Run two operators, each for a class of its own, on one namespace."""
    accounts = [make_account(), make_account()]
    operators = [each.process("classy", namespaces=namespace, leader_election=False) for each in accounts]
    for operator in operators:
        operator.start()
    yield operators
    for operator in operators:
        operator.stop()


def test_two_classes_side_by_side_do_not_meet(
    api: Api, namespace: str, classes: list[OperatorProcess], cluster: Layout
) -> None:
    offset = cluster.audit_log.stat().st_size
    services = [Service(api, namespace, each.class_name, f"s{number}") for number, each in enumerate(classes)]
    for service in services:
        service.create()
    for service in services:
        service.ready()

    classes[0].stop()
    for service in services:
        service.edit(logging={"level": "DEBUG"})
    eventually(lambda: _level(services[1]) == "DEBUG", "the running operator to follow its own")
    services[1].ready()
    assert _level(services[0]) == "INFO", "the other class is not its business"
    for service in services:
        api.delete("configmaps", namespace, f"{service.name}-config")
    eventually(lambda: services[1].child("configmaps", "-config"), "its own to be repaired")
    assert api.find("configmaps", namespace, "s0-config") is None

    for operator, own, other in zip(classes, services, reversed(services), strict=True):
        account = f"system:serviceaccount:{operator.class_name}:operator"
        named = [each["objectRef"].get("name", "") for each in writes(cluster.audit_log, account, offset)]
        assert [name for name in named if name.startswith(own.name)]
        assert not [name for name in named if name.startswith(other.name)]


@pytest.fixture
def rivals(own_account: OperatorAccount, crd: str, namespace: str) -> Iterator[list[OperatorProcess]]:
    """Run two operators for the same resources, as two installs of different versions are, each with its own Lease."""
    operators = [own_account.process(name, namespaces=namespace, leader_election=False) for name in ("one", "two")]
    operators[1].program = (*operators[1].program, f"--service-image={IMAGE}-of-another-version")
    for operator in operators:
        operator.start()
    yield operators
    for operator in operators:
        operator.stop()


def test_two_operators_that_serve_the_same_resource_give_way_and_say_so(
    api: Api, namespace: str, rivals: list[OperatorProcess]
) -> None:
    for operator in rivals:
        eventually(lambda operator=operator: operator.get("/readyz").status_code == 200, "both to be there")
    service = Service(api, namespace, rivals[0].class_name)
    service.create()
    message = service.wait("Stalled", "True", "Contested")["message"]
    assert f"Deployment {service.name}: another operator of this kind keeps writing it" in message
    assert "give one of the two a class" in message

    # What is stored says only what the last one found.
    for operator in rivals:
        eventually(lambda operator=operator: metric(operator, STALLED) == 1, "each to find it")
    looks = [metric(operator, LOOKS) for operator in rivals]
    api.delete("configmaps", namespace, f"{service.name}-config")
    for operator, before in zip(rivals, looks, strict=True):
        eventually(lambda operator=operator, before=before: metric(operator, LOOKS) > before, "one more look")
    assert service.conditions()["Stalled"]["reason"] == "Contested"
    # Made, and written by each in its turn until it gave way.
    assert service.child("deployments")["metadata"]["generation"] <= 2 * LIMIT + 4


@pytest.fixture
def namespaces(kubectl: Kubectl) -> Iterator[list[str]]:
    """Make two namespaces to look after, and one that is none of the operator's business."""
    names = [f"scope-{part}-{uuid.uuid4().hex[:6]}" for part in ("one", "two", "other")]
    for name in names:
        kubectl("create", "namespace", name)
    yield names
    for name in names:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")


@pytest.fixture
def confinement(kubectl: Kubectl, cluster: Layout, checkout: Path, namespaces: list[str], tmp_path: Path) -> Path:
    """Grant the rights of the manifests by a Role in each of two namespaces, as the chart does; return who has them."""
    home, *_ = namespaces
    kubectl("create", "serviceaccount", "operator", f"--namespace={home}")
    rules = next(yaml.safe_load_all((checkout / "manifests/base/role.yaml").read_text()))["rules"]
    for namespace in namespaces[:2]:
        metadata = {"name": "operator", "namespace": namespace}
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata, "rules": rules}
        kubectl("apply", "--server-side", "--filename=-", input=json.dumps(role))
        account = f"--serviceaccount={home}:operator"
        kubectl("create", "rolebinding", "operator", "--role=operator", account, f"--namespace={namespace}")
    return kubeconfig_of(kubectl, cluster.kubeconfig, home, tmp_path / "kubeconfig")


@pytest.fixture
def way(confinement: Path) -> Iterator[FaultProxy]:
    proxy = FaultProxy(confinement)
    yield proxy
    proxy.close()


@pytest.fixture
def confined(crd: str, confinement: Path, way: FaultProxy, namespaces: list[str]) -> Iterator[OperatorProcess]:
    """Run an operator for the two."""
    operator = OperatorProcess(
        way.kubeconfig,
        confinement.with_name("confined.log"),
        namespaces[0],
        namespaces=",".join(namespaces[:2]),
        leader_election=False,
        poll_seconds=2,
    )
    operator.start()
    yield operator
    assert operator.stop() == 0


def test_a_list_of_namespaces_with_rights_for_just_these(
    api: Api, namespaces: list[str], confined: OperatorProcess
) -> None:
    account = f"system:serviceaccount:{namespaces[0]}:operator"
    assert not may(api, account, namespaces[2], "list secrets")
    services = [Service(api, namespace, confined.class_name) for namespace in namespaces]
    for service in services:
        service.create()
    for service in services[:2]:
        service.ready()
    for service in services[:2]:
        service.edit(logging={"level": "DEBUG"})
        api.delete("configmaps", service.namespace, f"{service.name}-config")
    for service in services[:2]:
        eventually(lambda service=service: _level(service) == "DEBUG", f"{service.namespace} to be followed")
        eventually(lambda service=service: service.child("configmaps", "-config"), "it to be repaired")
        service.ready()

    assert services[2].live()["status"] == {"observedGeneration": -1}, "nobody has looked at it"
    assert api.list("deployments", namespaces[2]) == []
    health = confined.get("/healthz")
    assert health.status_code == 200
    streams = health.json()["stream_age_seconds"]
    assert {name for name in streams if name.startswith("texttoimageservices@")} == {
        f"texttoimageservices@{namespace}" for namespace in namespaces[:2]
    }
    assert not confined.events("by a bug")


def test_what_is_not_the_operator_s_to_see_is_said_and_harms_nothing(
    api: Api, namespaces: list[str], prometheus_operator_crds: None, confined: OperatorProcess
) -> None:
    """Prometheus objects of other namespaces may select what is in this one, and a Role does not show them."""
    service = Service(api, namespaces[0], confined.class_name)
    service.create(monitoring={**UNOBSERVED, "metrics": {"mode": "Managed"}, "alerts": {"mode": "Managed"}})
    service.ready()
    for condition in ("MetricsReady", "AlertsReady"):
        service.wait(condition, "Unknown", "NotVisible")
    assert service.child("servicemonitors", "-monitor")
    assert service.child("prometheusrules", "-alerts")
    service.ready()


def test_the_stream_of_a_namespace_that_may_not_be_watched_grows_old_by_name(
    api: Api, kubectl: Kubectl, namespaces: list[str], way: FaultProxy, confined: OperatorProcess
) -> None:
    """It is named as refused, too, which liveness does not hold against the process."""
    kept, lost = (f"texttoimageservices@{namespace}" for namespace in namespaces[:2])
    eventually(lambda: confined.get("/readyz").status_code == 200, "every stream to be there")
    kubectl("delete", "rolebinding", "operator", f"--namespace={namespaces[1]}")
    account = f"system:serviceaccount:{namespaces[0]}:operator"
    question = "watch texttoimageservices texttoimage.dev"
    eventually(lambda: not may(api, account, namespaces[1], question), "the right to be taken away")

    def age(stream: str) -> float:
        found: float = confined.get("/healthz").json()["stream_age_seconds"][stream]
        return found

    way.cut()  # which else the API server does after 50 s
    eventually(lambda: age(lost) > OLD_SECONDS, "the stream to grow old")
    way.cut()
    eventually(lambda: age(kept) < OLD_SECONDS / 2, "the other one to be taken up again")
    assert age(lost) > OLD_SECONDS
    eventually(lambda: lost in confined.get("/healthz").json()["refused"], "the refusal to be told")
    assert kept not in confined.get("/healthz").json()["refused"]


def test_a_namespace_that_is_gone_does_not_keep_a_new_process_from_the_other(
    api: Api, kubectl: Kubectl, namespaces: list[str], confined: OperatorProcess
) -> None:
    eventually(lambda: confined.get("/readyz").status_code == 200, "every stream to be there")
    kubectl("delete", "namespace", namespaces[1])  # and with it the RoleBinding
    assert confined.stop() == 0
    confined.start()
    service = Service(api, namespaces[0], confined.class_name)
    service.create()
    service.ready()

    health = confined.get("/healthz")
    assert health.status_code == 200
    assert {name.split("@")[1].split("?")[0] for name in health.json()["refused"]} == {namespaces[1]}
    assert confined.get("/readyz").status_code == 200
