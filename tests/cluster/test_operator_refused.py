"""What somebody refuses is said of the object that it was refused for, and keeps no other from its place."""

import socket
import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from t2i_operator.kube.kinds import CHILDREN

from tests.api import Api, Object, Refused
from tests.cluster import pods
from tests.cluster.operators import Service
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

DASHBOARDS = {"monitoring": {**UNOBSERVED, "dashboards": {"mode": "Managed"}}}
PROBE = "probe"
OVERVIEW = "-dashboard-overview"
ALERTS = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}
INGRESS = {"ingress": {"host": "images.example.com"}}
BACKEND = {"defaultBackend": {"service": {"name": PROBE, "port": {"number": 80}}}}
BACKED_OFF = 90.0
TOLD_SECONDS = 10.0
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
Refuse = Callable[..., Callable[[], None]]
Unreachable = Callable[..., Callable[[], None]]


class Watched(NamedTuple):
    """An object that a webhook of somebody's looks at: which spec asks for it, and what the like may have inside."""

    condition: str
    plural: str
    suffix: str
    wanted: Object
    spec: Object


RULE = Watched("AlertsReady", "prometheusrules", "-alerts", ALERTS, {})
WAY_IN = Watched("RouteReady", "ingresses", "", INGRESS, BACKEND)


@pytest.fixture
def refuse(api: Api, namespace: str) -> Iterator[Refuse]:
    """Have a policy of the cluster's refuse objects of the namespace by their names; what is returned ends it."""
    made: list[str] = []

    def end() -> None:
        for path in made:
            api.request("DELETE", path)
        made.clear()

    def refuse(plural: str, *names: str) -> Callable[[], None]:
        policy = f"none-{uuid.uuid4().hex[:8]}"
        resources = sorted({plural, "configmaps"})  # a ConfigMap is all that the probe needs to be
        rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": resources, "operations": ["CREATE", "UPDATE"]}
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"!(object.metadata.name in {[PROBE, *names]})", "message": "not here"}],
        }
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        binding = {
            "policyName": policy,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": selector},
        }
        for path, kind, body in (
            (f"{POLICIES}ies", "ValidatingAdmissionPolicy", spec),
            (f"{POLICIES}ybindings", "ValidatingAdmissionPolicyBinding", binding),
        ):
            head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": policy}}
            api.request("POST", path, {**head, "spec": body})
            made.append(f"{path}/{policy}")
        eventually(lambda: _probe_is_refused(api, namespace), "the policy to be in force")
        return end

    yield refuse
    end()


def _probe_is_refused(api: Api, namespace: str) -> bool:
    try:
        api.request("POST", api.path("configmaps", namespace), {"metadata": {"name": PROBE}}, dryRun="All")
    except Refused as refused:
        return "not here" in str(refused)
    return False


@pytest.fixture
def unreachable(api: Api, namespace: str, prometheus_operator_crds: None) -> Iterator[Unreachable]:
    """Have a webhook at a port where nobody listens asked about each such object of the namespace.

    What is returned ends it.
    """
    left: list[str] = []

    def end() -> None:
        while left:
            api.request("DELETE", f"{WEBHOOKS}/{left.pop()}")

    def unreachable(watched: Watched, port: int) -> Callable[[], None]:
        plural = watched.plural
        name = f"unreachable-{plural}-{namespace}"
        rules = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": [plural], "operations": ["CREATE", "UPDATE"]}
        webhook = {
            "name": f"{plural}.texttoimage.test",
            "clientConfig": {"url": f"https://127.0.0.1:{port}/"},
            "timeoutSeconds": 30,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [rules],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        api.request("POST", WEBHOOKS, {**head, "metadata": {"name": name}, "webhooks": [webhook]})
        left.append(name)

        def in_force() -> bool:
            try:
                api.request("POST", api.path(plural, namespace), _probe(watched), dryRun="All")
            except Refused as refused:
                return "failed calling webhook" in str(refused)
            return False

        eventually(in_force, "the webhook to be asked")
        return end

    yield unreachable
    end()


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """Keep a port on loopback, which refuses whoever connects until the test listens on it."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept


def _probe(watched: Watched) -> Object:
    kind = next(kind for kind in CHILDREN if kind.plural == watched.plural)
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": PROBE}, "spec": watched.spec}


def test_a_pod_template_of_jaeger_s_that_is_refused_keeps_nothing_else_waiting(service: Service) -> None:
    def wants(sampling: str = "Disabled", **pod: object) -> Object:
        jaeger = {"podTemplate": {"spec": pod}, "tailSampling": {"mode": sampling}}
        return {"tracing": {"mode": "Managed", "jaeger": jaeger}}

    def config() -> Object | None:
        found = service.api.find("configmaps", service.namespace, f"{service.name}-jaeger-config")
        return found and found["data"]

    nowhere = {"example.com/nowhere": "true"}
    service.create(monitoring={**UNOBSERVED, **wants(restartPolicy="Sometimes", nodeSelector=nowhere)})
    condition = service.wait("TracingReady", "False", "ApplyFailed")
    assert "restartPolicy" in condition["message"]
    service.ready()
    assert config() is None, "it is for a pod that there is not"

    service.edit(monitoring=wants(restartPolicy="Always"))
    service.wait("TracingReady", "False", "JaegerNotReady", seconds=BACKED_OFF)
    assert service.child("deployments", "-jaeger")["spec"]["template"]["spec"]["nodeSelector"] == nowhere
    before = config()
    assert before

    service.edit(monitoring=wants("Enabled", restartPolicy="Sometimes"))
    service.wait("TracingReady", "False", "ApplyFailed")
    assert config() == before, "the pod that runs may start anew with it"

    service.edit(monitoring=wants("Enabled", restartPolicy="Always"))
    eventually(lambda: config() != before, "the configuration to follow", BACKED_OFF)


@pytest.mark.parametrize("watched", [RULE, WAY_IN], ids=lambda watched: watched.plural)
def test_a_webhook_that_cannot_be_reached_silences_nothing_else(
    service: Service, unreachable: Unreachable, nobody: socket.socket, watched: Watched
) -> None:
    condition = watched.condition
    end = unreachable(watched, nobody.getsockname()[1])
    service.create(replicas=1, **pods.PARKED, **watched.wanted)
    eventually(lambda: pods.names(service), "a pod")
    service.wait("Available", "False", seconds=TOLD_SECONDS)
    assert service.conditions()[condition]["reason"] == "Pending"

    pods.say(service, ready=True)
    service.wait("Ready", "True", seconds=TOLD_SECONDS)
    pods.say(service, ready=False)
    service.wait("Ready", "False", seconds=TOLD_SECONDS)
    assert service.conditions()[condition]["status"] == "Unknown", "a failure that may pass"
    assert not service.events("ApplyFailed")

    end()
    eventually(lambda: service.conditions()[condition]["reason"] != "Pending", "the object", BACKED_OFF)
    assert service.child(watched.plural, watched.suffix)


def test_a_webhook_that_hangs_keeps_its_own_kind_waiting(
    service: Service, unreachable: Unreachable, nobody: socket.socket
) -> None:
    """It may think for thirty seconds, and a write of the operator's is over after ten; dashboards come later."""
    end = unreachable(RULE, nobody.getsockname()[1])
    nobody.listen()  # connected to, and never answered
    service.create(monitoring={**ALERTS["monitoring"], "dashboards": {"mode": "Managed"}})
    service.wait("DashboardsReady", "True", seconds=BACKED_OFF)
    service.ready()
    assert service.conditions()["AlertsReady"]["reason"] == "Pending"
    nobody.close()

    end()
    eventually(lambda: service.conditions()["AlertsReady"]["reason"] != "Pending", "the rule", BACKED_OFF)
    assert service.child(RULE.plural, RULE.suffix)


def test_a_refused_ingress_lowers_its_own_condition_only(service: Service, refuse: Refuse) -> None:
    allow = refuse("ingresses", service.name)
    service.create(**INGRESS, **DASHBOARDS)

    assert "not here" in service.wait("RouteReady", "False", "ApplyFailed")["message"]
    service.ready()
    conditions = service.conditions()
    assert {conditions[name]["status"] for name in ("Accepted", "Progressing", "DashboardsReady")} == {"True"}
    assert (conditions["Reconciling"]["status"], conditions["Reconciling"]["reason"]) == ("False", "ApplyFailed")
    assert (conditions["Stalled"]["status"], conditions["Stalled"]["reason"]) == ("True", "ApplyFailed")
    assert service.told("ApplyFailed")

    allow()
    service.wait("RouteReady", "Unknown", "AddressPending", seconds=BACKED_OFF)


def test_a_refused_dashboard_does_not_lower_ready(service: Service, refuse: Refuse) -> None:
    allow = refuse("configmaps", service.name + OVERVIEW)
    service.create(**DASHBOARDS)

    assert "not here" in service.wait("DashboardsReady", "False", "ApplyFailed")["message"]
    service.ready()
    conditions = service.conditions()
    assert conditions["Accepted"]["status"] == "True"
    assert conditions["Monitored"]["reason"] == "ApplyFailed"
    assert conditions["Stalled"]["status"] == "False"
    assert service.child("configmaps", "-dashboard-models"), "the other dashboards to be in place"

    allow()
    service.wait("DashboardsReady", "True", seconds=BACKED_OFF)


def test_a_refused_service_does_not_stop_the_deployment(service: Service, refuse: Refuse) -> None:
    allow = refuse("services", f"{service.name}-service")
    service.create()

    message = service.wait("Progressing", "False", "ApplyFailed")["message"]
    assert f"Service {service.name}-service" in message
    assert "not here" in message
    assert service.conditions()["Accepted"]["status"] == "True", "a policy is not the fault of the spec"
    assert service.wait("Stalled", "True", "ApplyFailed")
    assert service.child("deployments")

    allow()
    service.wait("Ready", "True", seconds=BACKED_OFF)


def test_a_refused_config_keeps_the_pods_back(service: Service, refuse: Refuse) -> None:
    allow = refuse("configmaps", f"{service.name}-config")
    service.create()

    service.wait("Progressing", "False", "ApplyFailed")
    assert service.child("services", "-service")
    assert service.api.find("deployments", service.namespace, service.name) is None

    allow()
    service.wait("Ready", "True", seconds=BACKED_OFF)


def test_a_refused_deployment_is_not_blamed_on_its_pod_template(service: Service, refuse: Refuse) -> None:
    allow = refuse("deployments", service.name, f"{service.name}.trial")
    service.create(podTemplate={"metadata": {"labels": {"team": "images"}}})

    assert "not here" in service.wait("Progressing", "False", "ApplyFailed")["message"]
    assert service.conditions()["Accepted"]["status"] == "True"

    allow()
    service.wait("Ready", "True", seconds=BACKED_OFF)


def test_a_foreign_dashboard_does_not_lower_ready(service: Service) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": service.name + OVERVIEW}}
    service.api.create("configmaps", service.namespace, body)
    service.create(**DASHBOARDS)

    service.wait("DashboardsReady", "False", "Conflict")
    service.ready()
    assert service.conditions()["Stalled"]["status"] == "False"
