"""The operator uses every right that the manifests grant: one resource lives through all that there is to do."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from dev.cluster.paths import Layout
from dev.stack.install import custom_resources
from tests.api import Api, Object
from tests.cluster.gateways import accept, gateway, program
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service
from tests.cluster.pods import PARKED
from tests.cluster.products import gateway_api, grafana_operator, opentelemetry_operator
from tests.cluster.rights import Right, Witness, audited
from tests.golden.builds import HERE
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

# Rights that only a situation outside this suite takes, each with that situation.
UNUSED = {
    Right("update", "texttoimage.dev", "texttoimageservices/finalizers"): (
        "asked for by the admission plugin OwnerReferencesPermissionEnforcement, which OpenShift turns on"
    ),
}
OBSERVED: Object = yaml.safe_load((HERE / "observed-in-full.input.yaml").read_text())["spec"]
BEGINNING: Object = {
    **OBSERVED,
    **PARKED,
    "replicas": 2,
    "credentials": {"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}},
    "networkPolicy": {"mode": "Managed"},
    "ingress": {"host": "images.example.com"},
}
# What stands beside something else until that is in place, or in the place of something else.
CHANGED: Object = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 3},
    "ingress": None,
    "httpRoute": {"parentRefs": [{"name": "public"}]},
    "monitoring": {
        "dashboards": {"format": "ConfigMap"},
        "tracing": {"jaeger": {"format": "OpenTelemetryCollector"}},
    },
}
END: Object = {
    "replicas": 0,
    "autoscaling": None,
    "credentials": None,
    "networkPolicy": {"mode": "Disabled"},
    "httpRoute": None,
    "monitoring": UNOBSERVED,
}


@pytest.fixture(scope="module")
def products(api: Api, cluster: Layout) -> Iterator[None]:
    """Have every kind that the operator knows on the cluster."""
    custom_resources(cluster)
    products = (gateway_api(api), grafana_operator(api), opentelemetry_operator(api))
    for product in products:
        product.install()
    yield
    for product in products:
        product.remove()


@pytest.fixture(params=["everywhere", "in a namespace", "in some namespaces"])
def scope(request: pytest.FixtureRequest, namespace: str, kubectl: Callable[..., str]) -> Iterator[tuple[str, ...]]:
    """Give the namespaces that an operator is confined to, none: to none."""
    if request.param == "in some namespaces":
        another = f"{namespace}-too"
        kubectl("create", "namespace", another)
        yield namespace, another
        kubectl("delete", "namespace", another, "--wait=false")
    else:
        yield (namespace,) if request.param == "in a namespace" else ()


@pytest.fixture
def own_account(make_account: Callable[..., OperatorAccount], scope: tuple[str, ...]) -> OperatorAccount:
    return make_account(scope)


@pytest.fixture
def witness(own_account: OperatorAccount) -> Iterator[Witness]:
    witness = Witness(own_account.kubeconfig)
    yield witness
    witness.close()


@pytest.fixture
def witnessed(
    products: None, crd: str, own_account: OperatorAccount, witness: Witness, scope: tuple[str, ...]
) -> Iterator[OperatorProcess]:
    """Run an operator as the manifests do: with a Lease."""
    account = own_account._replace(kubeconfig=witness.kubeconfig)
    operator = account.process("witnessed", namespaces=",".join(scope), poll_seconds=2)
    operator.start()
    yield operator
    operator.stop()


@pytest.fixture
def service(api: Api, namespace: str, own_account: OperatorAccount) -> Service:
    """Return the resource, with what its spec will refer to in place."""
    api.create("secrets", namespace, {"metadata": {"name": "tokens"}, "data": {"replicate": "dG9rZW4="}})
    gateway(api, namespace)
    _prometheus(api, namespace)
    return Service(api, namespace, own_account.class_name)


def test_nothing_is_granted_that_is_not_used(
    witnessed: OperatorProcess, witness: Witness, service: Service, cluster: Layout, checkout: Path
) -> None:
    offset = cluster.audit_log.stat().st_size
    service.create(**BEGINNING)
    optional = {"PodDisruptionBudget", "NetworkPolicy", "Ingress", "PersistentVolumeClaim", "GrafanaDashboard"}
    optional |= {"ServiceMonitor", "PrometheusRule", "AlertmanagerConfig"}
    eventually(lambda: _kinds(service) >= optional, "all that the first spec asks for", seconds=60)

    service.edit(**CHANGED)
    accept(service.api, service.namespace, service.name, accepted=True)
    program(service.api, service.namespace)
    service.wait("RouteReady", "True", "Programmed")
    later = {"HorizontalPodAutoscaler", "HTTPRoute", "OpenTelemetryCollector"}
    eventually(
        lambda: _kinds(service) >= later and "GrafanaDashboard" not in _kinds(service),
        "one thing to take the place of another",
        seconds=60,
    )

    service.edit(**END)
    granted = _granted(checkout / "manifests/base")

    def all_used() -> bool:
        assert granted - witness.used == UNUSED.keys()
        return True

    eventually(all_used, "every right to be used", seconds=60)
    assert witness.used <= granted
    assert witness.unselected == [], "what Secrets there are of others is none of its business"

    account = f"system:serviceaccount:{witnessed.class_name}:operator"

    def as_audited() -> bool:
        written = {right for right in witness.used if right.writes and right.resource != "leases"}
        assert written == audited(cluster.audit_log, account, offset)
        return True

    eventually(as_audited, "the audit log to say the same of writes")


def _granted(manifests: Path) -> set[Right]:
    """Return what the first document of each file grants."""
    roles = [
        next(yaml.safe_load_all((manifests / f"{name}.yaml").read_text())) for name in ("role", "leader_election_role")
    ]
    return {
        Right(verb, group, resource)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def _prometheus(api: Api, namespace: str) -> None:
    """Make one without pods that selects by the labels of namespaces, which the operator then has to read."""
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    body = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "main"},
        "spec": {"replicas": 0, "serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": where},
    }
    api.request("POST", f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/prometheuses", body)


def _kinds(service: Service) -> set[str]:
    return {each["kind"] for each in service.live()["status"]["objects"]}
