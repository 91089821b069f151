"""What is not ours is left alone and said so; what is offered is taken over."""

from typing import NamedTuple

import pytest

from tests.api import Api, Object
from tests.cluster.mail import MAIL, make_login
from tests.cluster.operators import OperatorProcess, Service
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

ADOPT = "texttoimage.dev/adopt"
FOREIGN = [
    pytest.param("serviceaccounts", "", {"kind": "ServiceAccount"}, id="ServiceAccount"),
    pytest.param("secrets", "-keys", {"kind": "Secret", "data": {"theirs": "eA=="}}, id="Secret of keys"),
    pytest.param("secrets", "-secrets", {"kind": "Secret", "data": {"theirs": "eA=="}}, id="Secret of credentials"),
    pytest.param("configmaps", "-config", {"kind": "ConfigMap", "data": {"theirs": "x"}}, id="ConfigMap"),
    pytest.param("services", "-service", {"kind": "Service", "spec": {"ports": [{"port": 80}]}}, id="Service"),
]
MOUNTED = ("serviceaccounts", "secrets", "configmaps")
TOKENS: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens"}, "data": {"replicate": "eA=="}}
# Of which the credentials are composed into a Secret of the resource's own.
COMPOSED = {"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}}


class Observing(NamedTuple):
    """What somebody else has made under the name, what would make ours, and the condition that it counts for."""

    plural: str
    suffix: str
    body: Object
    monitoring: Object
    condition: str


OF_PROMETHEUS = "monitoring.coreos.com"
OBSERVING = [
    Observing(
        "servicemonitors",
        "-monitor",
        {"apiVersion": f"{OF_PROMETHEUS}/v1", "kind": "ServiceMonitor", "spec": {"selector": {}, "endpoints": []}},
        {"metrics": {"mode": "Managed"}},
        "MetricsReady",
    ),
    Observing(
        "prometheusrules",
        "-alerts",
        {"apiVersion": f"{OF_PROMETHEUS}/v1", "kind": "PrometheusRule", "spec": {"groups": []}},
        {"alerts": {"mode": "Managed"}},
        "AlertsReady",
    ),
    Observing(
        "alertmanagerconfigs",
        "-alerts",
        {"apiVersion": f"{OF_PROMETHEUS}/v1alpha1", "kind": "AlertmanagerConfig", "spec": {"receivers": []}},
        {"alerts": {"mode": "Managed", "receivers": [MAIL]}},
        "AlertsReady",
    ),
]


def _deployment(name: str, labels: dict[str, str]) -> Object:
    container = {"name": "text-to-image", "image": "theirs"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


@pytest.mark.parametrize(("plural", "suffix", "body"), FOREIGN)
def test_a_foreign_object_is_left_alone_until_it_is_offered(
    service: Service, plural: str, suffix: str, body: Object
) -> None:
    name = service.name + suffix
    theirs = service.api.create(plural, service.namespace, {"apiVersion": "v1", "metadata": {"name": name}, **body})
    service.api.create("secrets", service.namespace, TOKENS)
    service.create(credentials=COMPOSED)

    condition = service.wait("Accepted", "False", "Conflict")
    assert f"{body['kind']} {name}" in condition["message"]
    assert f"{ADOPT}={service.name}" in condition["message"]
    assert service.wait("Stalled", "True", "Conflict")
    assert service.child(plural, suffix)["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
    assert service.told("Conflict")
    deployment = service.api.find("deployments", service.namespace, service.name)
    assert (deployment is None) == (plural in MOUNTED), "pods use only what is ours, and wait for nothing else"

    service.api.patch(plural, service.namespace, name, {"metadata": {"annotations": {ADOPT: service.name}}})
    service.edit(logging={"level": "DEBUG"})
    service.ready()
    adopted = service.child(plural, suffix)
    assert adopted["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == service.live()["metadata"]["uid"]


@pytest.mark.usefixtures("prometheus_operator_crds")
@pytest.mark.parametrize("child", OBSERVING, ids=lambda child: child.body["kind"])
def test_a_foreign_object_that_would_observe_is_left_alone_until_it_is_offered(
    service: Service, child: Observing
) -> None:
    plural, suffix, name = child.plural, child.suffix, service.name + child.suffix
    theirs = service.api.create(plural, service.namespace, {"metadata": {"name": name}, **child.body})
    make_login(service.api, service.namespace)
    service.create(monitoring={**UNOBSERVED, **child.monitoring})

    message = service.wait(child.condition, "False", "Conflict")["message"]
    assert f"{child.body['kind']} {name}" in message
    assert f"{ADOPT}={service.name}" in message
    service.ready()
    assert service.conditions()["Accepted"]["status"] == "True"
    left = service.child(plural, suffix)
    assert (left["metadata"]["uid"], left["spec"]) == (theirs["metadata"]["uid"], theirs["spec"])
    assert "ownerReferences" not in left["metadata"]

    service.api.patch(plural, service.namespace, name, {"metadata": {"annotations": {ADOPT: service.name}}})
    eventually(lambda: "ownerReferences" in service.child(plural, suffix)["metadata"], "it to be taken over")
    eventually(lambda: service.conditions()[child.condition]["reason"] != "Conflict", "the status to say so")
    adopted = service.child(plural, suffix)
    assert adopted["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == service.live()["metadata"]["uid"]
    assert adopted["spec"] != theirs["spec"]


def test_the_conflict_ends_when_the_foreign_object_goes(service: Service) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"{service.name}-config"}}
    service.api.create("configmaps", service.namespace, body)
    service.create()
    service.wait("Accepted", "False", "Conflict")

    service.api.delete("configmaps", service.namespace, f"{service.name}-config")
    service.wait("Ready", "True", seconds=45)


def test_a_deployment_with_our_selector_is_adopted(service: Service) -> None:
    labels = {
        "app.kubernetes.io/name": "text-to-image",
        "app.kubernetes.io/instance": service.name,
        "app.kubernetes.io/component": "service",
    }
    body = _deployment(service.name, labels)
    body["metadata"]["annotations"] = {ADOPT: service.name}
    theirs = service.api.create("deployments", service.namespace, body)
    service.create()

    service.ready()
    assert service.child("deployments")["metadata"]["uid"] == theirs["metadata"]["uid"]
    assert service.child("deployments")["spec"]["template"]["spec"]["containers"][0]["image"] != "theirs"


@pytest.mark.parametrize("template", [{}, {"metadata": {"labels": {"team": "images"}}}], ids=["plain", "podTemplate"])
def test_a_deployment_with_another_selector_gets_the_steps_of_its_adoption(service: Service, template: Object) -> None:
    body = _deployment(service.name, {"app": "old"})
    body["metadata"]["annotations"] = {ADOPT: service.name}
    service.api.create("deployments", service.namespace, body)
    service.create(podTemplate=template)

    message = service.wait("Accepted", "False", "Conflict")["message"]
    assert f"kubectl -n {service.namespace} delete deployment {service.name} --cascade=orphan" in message
    assert f"kubectl -n {service.namespace} delete replicaset -l app=old" in message

    service.api.delete("deployments", service.namespace, service.name, propagationPolicy="Orphan")
    service.wait("Ready", "True", seconds=45)


def test_two_resources_of_like_names_do_not_meet(api: Api, namespace: str, operator: OperatorProcess) -> None:
    services = [Service(api, namespace, operator.class_name, name) for name in ("a", "a-jaeger", "a-service")]
    for service in services:
        service.create()
    for service in services:
        service.ready()

    for service in services:
        uid = service.live()["metadata"]["uid"]
        owned = [
            (plural, child["metadata"]["name"])
            for plural in ("deployments", "services", "secrets", "configmaps", "serviceaccounts")
            for child in api.list(plural, namespace)
            if any(owner["uid"] == uid for owner in child["metadata"].get("ownerReferences", ()))
        ]
        assert sorted(name.removeprefix(service.name) for _, name in owned) == ["", "", "-config", "-keys", "-service"]
    services[0].api.delete("texttoimageservices", namespace, "a")
    eventually(lambda: api.find("deployments", namespace, "a") is None, "the first one's objects to be collected")
    services[1].ready()


MANAGED = {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed"}}}


def _identities(api: Api, namespace: str, owner: str) -> dict[tuple[str, str], tuple[str, Object]]:
    """Return what an owner controls, by what it is, with all that would show a write to it."""
    return {
        (plural, child["metadata"]["name"]): (child["metadata"]["uid"], child.get("spec", child.get("data", {})))
        for plural in ("deployments", "services", "secrets", "configmaps", "serviceaccounts")
        for child in api.list(plural, namespace)
        if any(each["uid"] == owner for each in child["metadata"].get("ownerReferences", ()))
    }


def test_a_service_that_is_named_as_another_s_jaeger_waits(api: Api, namespace: str, operator: OperatorProcess) -> None:
    first, second = (Service(api, namespace, operator.class_name, name) for name in ("a", "a-jaeger"))
    first.create(**MANAGED)
    first.wait("TracingReady", "False", "JaegerNotReady")
    first.ready()
    before = _identities(api, namespace, first.live()["metadata"]["uid"])
    assert ("deployments", "a-jaeger") in before

    second.create(**MANAGED)
    message = second.wait("Accepted", "False", "Conflict")["message"]
    assert "ConfigMap a-jaeger-config is controlled by TextToImageService a; rename one of the two resources" in message
    assert _identities(api, namespace, first.live()["metadata"]["uid"]) == before
    first.ready()

    api.delete("texttoimageservices", namespace, "a-jaeger")
    eventually(lambda: api.find("deployments", namespace, "a-jaeger-jaeger") is None, "the second one's objects to go")
    assert _identities(api, namespace, first.live()["metadata"]["uid"]) == before


def test_a_jaeger_that_is_named_as_another_service_waits(api: Api, namespace: str, operator: OperatorProcess) -> None:
    first, second = (Service(api, namespace, operator.class_name, name) for name in ("a-jaeger", "a"))
    first.create(**MANAGED)
    first.ready()
    before = _identities(api, namespace, first.live()["metadata"]["uid"])

    second.create(**MANAGED)
    message = second.wait("TracingReady", "False", "Conflict")["message"]
    assert "a-jaeger" in message
    assert "TextToImageService a-jaeger" in message
    second.ready()
    assert _identities(api, namespace, first.live()["metadata"]["uid"]) == before
    first.ready()

    api.delete("texttoimageservices", namespace, "a-jaeger")
    second.wait("TracingReady", "False", "JaegerNotReady", seconds=90)


def test_a_resource_of_another_class_is_not_touched(api: Api, namespace: str, operator: OperatorProcess) -> None:
    other = Service(api, namespace, "nobody", "theirs")
    other.create()
    ours = Service(api, namespace, operator.class_name, "ours")
    ours.create()
    ours.ready()

    assert other.live()["status"] == {"observedGeneration": -1}, "nobody has looked at it"
    assert [child["metadata"]["name"] for child in api.list("deployments", namespace)] == ["ours"]


def test_a_resource_made_again_waits_for_the_objects_of_the_old_one(service: Service) -> None:
    service.create()
    service.ready()
    before = service.child("deployments")["metadata"]["uid"]
    service.api.delete("texttoimageservices", service.namespace, service.name)
    service.create()

    service.ready()
    assert service.child("deployments")["metadata"]["uid"] != before
    assert not service.events("Conflict")
