"""What somebody refuses is said of the object that it was refused for, and keeps no other from its place."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.cluster import pods
from tests.cluster.api import Api, Refused, eventually
from tests.cluster.operators import UNOBSERVED, Service, free_port

DASHBOARDS = {"monitoring": {**UNOBSERVED, "dashboards": {"mode": "Managed"}}}
PROBE = "probe"
OVERVIEW = "-dashboard-overview"
ALERTS = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}
BACKED_OFF = 90.0
TOLD_SECONDS = 10.0
RULES = "/apis/monitoring.coreos.com/v1/namespaces/{}/prometheusrules"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
Refuse = Callable[..., Callable[[], None]]


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
def unreachable(api: Api, namespace: str) -> Iterator[Callable[[], None]]:
    """Have a webhook that nobody answers asked about each PrometheusRule of the namespace; what is returned ends it."""
    name = f"unreachable-{namespace}"
    rules = {"apiGroups": ["monitoring.coreos.com"], "apiVersions": ["*"], "resources": ["prometheusrules"]}
    webhook = {
        "name": "rules.texttoimage.test",
        "clientConfig": {"url": f"https://127.0.0.1:{free_port()}/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{**rules, "operations": ["CREATE", "UPDATE"]}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    probe = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": PROBE},
        "spec": {},
    }
    api.request("POST", WEBHOOKS, {**head, "metadata": {"name": name}, "webhooks": [webhook]})

    def in_force() -> bool:
        try:
            api.request("POST", RULES.format(namespace), probe, dryRun="All")
        except Refused as refused:
            return "failed calling webhook" in str(refused)
        return False

    eventually(in_force, "the webhook to be asked")
    left = [name]

    def end() -> None:
        while left:
            api.request("DELETE", f"{WEBHOOKS}/{left.pop()}")

    yield end
    end()


def test_a_webhook_for_alerts_that_cannot_be_reached_silences_nothing_else(
    service: Service, unreachable: Callable[[], None]
) -> None:
    service.create(replicas=1, **pods.PARKED, **ALERTS)
    eventually(lambda: pods.names(service), "a pod")
    service.wait("Available", "False", seconds=TOLD_SECONDS)
    assert service.conditions()["AlertsReady"]["reason"] == "Pending"

    pods.say(service, ready=True)
    service.wait("Ready", "True", seconds=TOLD_SECONDS)
    pods.say(service, ready=False)
    service.wait("Ready", "False", seconds=TOLD_SECONDS)
    assert service.conditions()["AlertsReady"]["status"] == "Unknown", "a failure that may pass"
    assert not service.events("ApplyFailed")

    unreachable()
    eventually(lambda: service.conditions()["AlertsReady"]["reason"] != "Pending", "the rule", BACKED_OFF)
    assert service.api.request("GET", f"{RULES.format(service.namespace)}/{service.name}-alerts")


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
    assert service.conditions()["Stalled"]["status"] == "False"
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
