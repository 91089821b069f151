"""A steady cluster gets no writes, and the resource none but its status."""

from collections.abc import Iterator

import pytest

from dev.cluster.paths import Layout
from tests.api import Api, Object
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric, writes
from tests.waiting import eventually

RESYNCS = 3
# What the API server spells otherwise than it is asked to, or fills in.
AWKWARD = {
    "podTemplate": {
        "spec": {
            "containers": [
                {
                    "name": "text-to-image",
                    "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": 2}},
                    "env": [{"name": "EMPTY", "value": ""}, {"name": "PLAIN", "value": "1"}],
                    "stdin": False,
                    "ports": [{"containerPort": 9000}],
                },
                {"name": "beside", "image": "busybox", "resources": {"limits": {"memory": "0.5Gi"}}},
            ],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
            "hostNetwork": False,
            "nodeSelector": {},
            "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["b", "a"]}],
        }
    }
}


def _reconciles(operator: OperatorProcess) -> float:
    return metric(operator, 't2i_operator_reconciles_total{result="success"}')


@pytest.fixture
def own_operator(namespace: str, crd: str, own_account: OperatorAccount) -> Iterator[OperatorProcess]:
    """Run an operator for this test's namespace only, so that its reconciles can be counted."""
    operator = own_account.process("quiet", namespaces=namespace, leader_election=False, resync_seconds=1)
    operator.start()
    yield operator
    operator.stop()


@pytest.fixture
def mine(api: Api, namespace: str, own_operator: OperatorProcess) -> Service:
    return Service(api, namespace, own_operator.class_name)


@pytest.mark.parametrize("spec", [{}, AWKWARD], ids=["plain", "awkward"])
def test_resyncs_and_a_restart_write_nothing(
    mine: Service,
    own_operator: OperatorProcess,
    own_account: OperatorAccount,
    cluster: Layout,
    spec: Object,
) -> None:
    service, namespace = mine, mine.namespace
    service.create(**spec)
    service.ready()
    before = _reconciles(own_operator)
    eventually(lambda: _reconciles(own_operator) > before, "a look after the last write")
    offset, before = cluster.audit_log.stat().st_size, _reconciles(own_operator)

    eventually(lambda: _reconciles(own_operator) >= before + RESYNCS, "three resyncs")
    assert _sent(cluster, own_account, offset, namespace) == [], "no dry run either"

    own_operator.stop()
    own_operator.start()
    eventually(lambda: _reconciles(own_operator) >= RESYNCS, "three looks by a new process")
    _nothing_but_one_trial_each(_sent(cluster, own_account, offset, namespace))


@pytest.fixture
def rewriting(api: Api, namespace: str) -> Iterator[None]:
    """Have a policy of the cluster's rewrite a field of every Deployment of the namespace."""
    name = f"rewrite-{namespace}"
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"]}
    change = 'JSONPatch{op: "replace", path: "/spec/progressDeadlineSeconds", value: 599}'
    policy = {
        "matchConstraints": {"resourceRules": [{**rule, "operations": ["CREATE", "UPDATE"]}]},
        "failurePolicy": "Fail",
        "reinvocationPolicy": "Never",
        "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{change}]"}}],
    }
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    binding = {"policyName": name, "matchResources": {"namespaceSelector": selector}}
    root = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolic"
    made = {
        f"{root}ies": ("MutatingAdmissionPolicy", policy),
        f"{root}ybindings": ("MutatingAdmissionPolicyBinding", binding),
    }
    for path, (kind, spec) in made.items():
        api.request("POST", path, {**head, "kind": kind, "spec": spec})
    pod = {"containers": [{"name": "probe", "image": "probe"}]}
    labels = {"app": "probe"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    probe = {"metadata": {"name": "probe"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}

    def in_force() -> bool:
        tried = api.request("POST", api.path("deployments", namespace), probe, dryRun="All")
        return bool(tried["spec"]["progressDeadlineSeconds"] == 599)

    eventually(in_force, "the policy to be in force")
    yield
    for path in made:
        api.request("DELETE", f"{path}/{name}")


@pytest.mark.usefixtures("rewriting")
def test_a_restart_writes_nothing_where_a_policy_rewrites_what_is_applied(
    mine: Service, own_operator: OperatorProcess, own_account: OperatorAccount, cluster: Layout
) -> None:
    mine.create()
    mine.ready()
    assert mine.child("deployments")["spec"]["progressDeadlineSeconds"] == 599
    own_operator.stop()
    offset = cluster.audit_log.stat().st_size
    own_operator.start()
    eventually(lambda: _reconciles(own_operator) >= RESYNCS, "three looks by a new process")
    _nothing_but_one_trial_each(_sent(cluster, own_account, offset, mine.namespace))


def test_a_pause_hides_nothing_that_was_wrong_and_writes_nothing(
    mine: Service, own_operator: OperatorProcess, own_account: OperatorAccount, cluster: Layout
) -> None:
    theirs = {"metadata": {"name": f"{mine.name}-service"}, "spec": {"ports": [{"port": 80}]}}
    mine.api.create("services", mine.namespace, {"apiVersion": "v1", "kind": "Service", **theirs})
    mine.create(podTemplate={"metadata": {"labels": {"team": "images"}}})
    mine.wait("Accepted", "False", "Conflict")

    mine.edit(paused=True)
    mine.wait("Reconciling", "False", "Paused")
    mine.wait("Accepted", "False", "Conflict")
    mine.wait("Stalled", "True", "Conflict")
    mine.edit(podTemplate={"spec": {"restartPolicy": "Sometimes"}})
    assert "restartPolicy" in mine.wait("Accepted", "False", "InvalidSpec")["message"]
    assert mine.told("InvalidSpec")

    before = _reconciles(own_operator)
    eventually(lambda: _reconciles(own_operator) > before, "a look after the last write")
    offset, before = cluster.audit_log.stat().st_size, _reconciles(own_operator)
    eventually(lambda: _reconciles(own_operator) >= before + RESYNCS, "three resyncs")
    sent = writes(cluster.audit_log, own_account.username, offset)
    assert [each for each in sent if each["objectRef"].get("namespace") == mine.namespace] == [], "no dry run either"


def test_the_resource_gets_neither_finalizers_nor_annotations(service: Service) -> None:
    before = service.create()["metadata"]
    service.ready()
    service.edit(logging={"level": "DEBUG"})
    service.ready()

    after = service.live()["metadata"]
    assert "finalizers" not in after
    assert after.get("annotations") == before.get("annotations")
    managers = {entry["manager"] for entry in after["managedFields"] if entry.get("subresource") != "status"}
    assert managers == {"test"}


def _sent(cluster: Layout, account: OperatorAccount, offset: int, namespace: str) -> list[Object]:
    """Return all writes to a namespace since an offset into the audit log, dry runs among them."""
    return [
        {"verb": entry["verb"], "dry": "dryRun=All" in entry["requestURI"], **entry["objectRef"]}
        for entry in writes(cluster.audit_log, account.username, offset)
        if entry["objectRef"].get("namespace") == namespace
    ]


def _nothing_but_one_trial_each(sent: list[Object]) -> None:
    """Allow what a new process has to try, because it cannot know what the one before it was answered."""
    assert [each for each in sent if not each["dry"]] == []
    tried = [(each["resource"], each["name"]) for each in sent]
    assert len(tried) == len(set(tried)), tried
