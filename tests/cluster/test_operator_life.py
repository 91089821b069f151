"""The life of a resource: paused, edited, fought over, scaled, deleted, with the operator there or not."""

import json
import re
from functools import partial

import pytest

from tests.api import Api
from tests.cluster import pods
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service
from tests.waiting import eventually


def test_deleting_works_while_the_operator_is_down(
    api: Api, namespace: str, crd: str, own_account: OperatorAccount
) -> None:
    operator = own_account.process("absent", namespaces=namespace, leader_election=False)
    service = Service(api, namespace, operator.class_name)
    service.create()
    operator.start()
    try:
        service.ready()
    finally:
        operator.stop()
    api.delete("texttoimageservices", namespace, service.name, propagationPolicy="Foreground")

    children = {"deployments": "", "services": "-service", "secrets": "-keys", "texttoimageservices": ""}
    for plural, suffix in children.items():
        find = partial(api.find, plural, namespace, service.name + suffix)
        eventually(lambda find=find: find() is None, f"{plural} to be collected")


def test_nothing_comes_back_after_a_deletion(service: Service) -> None:
    service.create()
    service.ready()
    service.api.delete("texttoimageservices", service.namespace, service.name)

    eventually(lambda: service.api.find("deployments", service.namespace, service.name) is None, "the objects to go")
    probe = Service(service.api, service.namespace, service.class_name, "probe")
    probe.create()
    probe.ready()
    assert [each["metadata"]["name"] for each in service.api.list("deployments", service.namespace)] == ["probe"]


def test_what_a_deletion_is_told_to_orphan_survives_and_may_be_adopted(service: Service) -> None:
    service.create()
    service.ready()
    children = {"deployments": "", "services": "-service", "configmaps": "-config", "serviceaccounts": ""}
    before = {plural: service.child(plural, suffix)["metadata"]["uid"] for plural, suffix in children.items()}
    path = (service.namespace, service.name)
    service.api.delete("texttoimageservices", *path, propagationPolicy="Orphan")
    eventually(lambda: service.api.find("texttoimageservices", *path) is None, "the resource to go", seconds=60)
    probe = Service(service.api, service.namespace, service.class_name, "probe")
    probe.create()
    probe.ready()  # so that the operator has had the time to do it wrong
    for plural, suffix in children.items():
        left = service.child(plural, suffix)["metadata"]
        assert (left["uid"], left.get("ownerReferences", [])) == (before[plural], []), plural

    service.create()
    service.wait("Accepted", "False", "Conflict")
    for plural in ("deployments", "services", "secrets", "configmaps", "serviceaccounts"):
        for child in service.api.list(plural, service.namespace):
            if child["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == service.name:
                adopt = {"metadata": {"annotations": {"texttoimage.dev/adopt": service.name}}}
                service.api.patch(plural, service.namespace, child["metadata"]["name"], adopt)
    service.wait("Ready", "True", seconds=45)
    assert {plural: service.child(plural, suffix)["metadata"]["uid"] for plural, suffix in children.items()} == before


def test_a_paused_resource_keeps_its_status_and_nothing_else(service: Service) -> None:
    service.create()
    service.ready()
    service.edit(paused=True, replicas=3)
    paused = service.wait("Reconciling", "False", "Paused")
    assert f"PodDisruptionBudget {service.name}" in paused["message"]
    service.ready()
    service.api.delete("services", service.namespace, f"{service.name}-service")
    service.api.patch("deployments", service.namespace, service.name, {"spec": {"replicas": 1}})

    eventually(lambda: service.live()["status"]["replicasSummary"] == "0/1", "the status to follow the live Deployment")
    assert f"Service {service.name}-service" in service.wait("Progressing", "False", "Missing")["message"]
    service.wait("Ready", "False", "Missing")
    assert service.told("Missing")
    assert service.api.find("services", service.namespace, f"{service.name}-service") is None

    service.edit(paused=False, replicas=0)
    service.ready()
    assert service.child("services", "-service")
    assert service.child("deployments")["spec"]["replicas"] == 0


def test_no_event_spam(service: Service) -> None:
    """Each change is told once, and what stays wrong, too, however often it is looked at."""
    service.create()
    service.ready()
    service.api.delete("configmaps", service.namespace, f"{service.name}-config")
    (repaired,) = service.told("Repaired")
    assert len(service.told("Ready")) == 1
    service.edit(logging={"level": "DEBUG"})

    assert len(service.told("Updated")) == 1
    assert len(service.told("Created")) == 1
    assert len(service.events("Repaired")) == 1
    assert f"ConfigMap {service.name}-config" in repaired["note"]

    remote = {"name": "sdxl", "provider": "Replicate", "version": "a" * 64}
    service.edit(models=[remote], credentials={"secretRef": {"name": "nowhere"}})
    service.told("SecretMissing")
    ready = len(service.events("Ready"))
    for level in ("INFO", "ERROR", "DEBUG"):
        updates = len(service.events("Updated"))
        service.edit(logging={"level": level})
        eventually(lambda before=updates: len(service.events("Updated")) > before, "a pass that finds it missing still")
    assert len(service.events("SecretMissing")) == 1
    assert len(service.events("Ready")) == ready


def test_a_line_of_the_log_names_the_resource_and_the_reconcile(service: Service, operator: OperatorProcess) -> None:
    service.create()
    service.told("Created")
    key = f"{service.namespace}/{service.name}"
    made = [line for line in operator.events(key) if line.get("reason") == "Created"]

    assert [line["resource"] for line in made] == [key]
    reconciles = {line["reconcile"] for line in operator.events(key)}
    assert made[0]["reconcile"] in reconciles
    assert all(re.fullmatch("[0-9a-f]{8}", each) for each in reconciles), reconciles


def test_a_contested_field_backs_off_and_names_the_other(service: Service) -> None:
    service.create()
    service.ready()

    def fight() -> bool:
        spec = service.child("deployments")["spec"]
        if spec["progressDeadlineSeconds"] == 600:
            change = {"spec": {"progressDeadlineSeconds": 60}}
            service.api.patch("deployments", service.namespace, service.name, change, manager="meddler")
        return bool(service.conditions()["Stalled"]["status"] == "True")

    eventually(fight, "the operator to give way")
    stalled = service.conditions()["Stalled"]
    assert stalled["reason"] == "Contested"
    assert "spec.progressDeadlineSeconds (meddler)" in stalled["message"]
    assert service.child("deployments")["spec"]["progressDeadlineSeconds"] == 60
    eventually(lambda: len(service.events("Repaired")) == 3, "three repairs to be told")


def test_beside_a_contested_field_all_else_is_still_repaired_and_pruned(service: Service) -> None:
    service.create(replicas=2)
    eventually(lambda: service.child("poddisruptionbudgets"), "the budget")

    def fight() -> bool:
        if service.child("deployments")["spec"]["progressDeadlineSeconds"] == 600:
            change = {"spec": {"progressDeadlineSeconds": 60}}
            service.api.patch("deployments", service.namespace, service.name, change, manager="meddler")
        return bool(service.conditions()["Stalled"]["status"] == "True")

    eventually(fight, "the operator to give way")
    change = {"spec": {"minReadySeconds": 7, "strategy": {"rollingUpdate": {"maxUnavailable": 1}}}}
    service.api.patch("deployments", service.namespace, service.name, change, manager="another")
    service.edit(replicas=0)

    def mended() -> bool:
        spec = service.child("deployments")["spec"]
        return bool(spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0 and spec["replicas"] == 0)

    eventually(mended, "the other fields")
    budget = partial(service.api.find, "poddisruptionbudgets", service.namespace, service.name)
    eventually(lambda: budget() is None, "the budget to be pruned")
    spec = service.child("deployments")["spec"]
    assert (spec["progressDeadlineSeconds"], spec["minReadySeconds"]) == (60, 7)
    service.wait("Stalled", "True", "Contested")


def test_an_object_that_somebody_keeps_deleting_is_not_made_in_a_loop(service: Service) -> None:
    service.create()
    service.ready()
    name = f"{service.name}-config"

    def delete() -> bool:
        if service.api.find("configmaps", service.namespace, name):
            service.api.delete("configmaps", service.namespace, name)
        return bool(service.conditions()["Stalled"]["status"] == "True")

    eventually(delete, "the operator to give way")
    assert "somebody keeps deleting it" in service.conditions()["Stalled"]["message"]
    assert service.api.find("configmaps", service.namespace, name) is None
    eventually(lambda: len(service.events("Repaired")) == 3, "three repairs to be told")


def test_kubectl_scale_changes_the_resource_and_the_deployment(service: Service) -> None:
    service.create()
    service.ready()
    path = service.api.path("texttoimageservices", service.namespace, service.name) + "/scale"
    scale = service.api.request("GET", path)
    assert "app.kubernetes.io/instance=pictures" in scale["status"]["selector"]
    service.api.request("PATCH", path, {"spec": {"replicas": 2}}, "application/merge-patch+json")

    eventually(lambda: service.child("deployments")["spec"]["replicas"] == 2, "two replicas")


@pytest.mark.parametrize("before", [2, 5])
def test_autoscaling_takes_the_replicas_over_as_they_are(service: Service, before: int) -> None:
    service.create(replicas=before)
    eventually(lambda: service.child("deployments")["spec"]["replicas"] == before, "the replicas")
    seen = set()

    def handed_over() -> bool:
        live = service.child("deployments")
        seen.add(live["spec"]["replicas"])
        owners = {
            entry["manager"]
            for entry in live["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }
        return "text-to-image-operator" not in owners

    service.edit(autoscaling={"maxReplicas": 9})
    eventually(handed_over, "the replicas to be handed over")
    assert seen == {before}

    service.api.patch("deployments", service.namespace, service.name, {"spec": {"replicas": before + 1}}, manager="hpa")
    told = len(service.events("Updated"))
    service.edit(logging={"level": "DEBUG"})
    eventually(lambda: len(service.events("Updated")) > told, "an update of something else")
    assert service.child("deployments")["spec"]["replicas"] == before + 1


def test_a_poisonous_resource_harms_only_itself(service: Service, operator: OperatorProcess) -> None:
    poison = Service(service.api, service.namespace, operator.class_name, "poison")
    annotations = {"example.com/big": "x" * 60_000}
    poison.create(podTemplate={"metadata": {"annotations": annotations}, "spec": {"volumes": "no"}})
    service.create()

    service.ready()
    assert poison.wait("Accepted", "False", "InvalidSpec")


def test_resources_of_the_greatest_size_harm_only_themselves(service: Service, operator: OperatorProcess) -> None:
    """What the operator copies, compares and watches of one is as large; one has a spec of 1 MiB, as etcd takes it."""
    poison, refused = (
        Service(service.api, service.namespace, operator.class_name, name) for name in ("poison", "refused")
    )
    poison.create(models=[{"name": f"m{number}", "provider": "Sandbox"} for number in range(32)])
    refused.create()
    large = {f"example.com/large-{number}": "x" * 65_000 for number in range(4)}
    path = (service.namespace, poison.name, {"metadata": {"annotations": large}})
    service.api.patch("texttoimageservices", *path)
    annotations = {f"example.com/{number}": "z" * 50_000 for number in range(3)}
    for each, count in ((poison, 1), (refused, 9)):
        variables = [{"name": f"LARGE_{number}", "value": "y" * 100_000} for number in range(count)]
        container = {"name": "text-to-image", "env": variables}
        each.edit(podTemplate={"metadata": {"annotations": annotations}, "spec": {"containers": [container]}})
    assert len(json.dumps(refused.live()["spec"])) >= 2**20
    service.create()
    service.ready()

    for level in ("DEBUG", "ERROR", "WARNING"):
        service.edit(logging={"level": level})

        def followed(level: str = level) -> bool:
            (found,) = service.child("deployments")["spec"]["template"]["spec"]["containers"]
            return {"name": "LOG_LEVEL", "value": level} in found["env"]

        eventually(followed, f"the level {level}")
    service.api.delete("configmaps", service.namespace, f"{service.name}-config")
    eventually(lambda: service.child("configmaps", "-config"), "it to be made again")
    service.ready()
    poison.wait("Accepted", "True")
    refused.wait("Accepted", "False", "InvalidSpec")
    assert not operator.events("by a bug")


def test_a_pod_that_turns_unready_is_told_though_the_resource_is_paused(default_service: Service) -> None:
    service = default_service
    service.create(replicas=1, **pods.PARKED)
    pods.say(service, ready=True)
    service.ready()
    service.edit(paused=True)
    service.wait("Reconciling", "False", "Paused")
    before = service.child("deployments")["metadata"]["generation"]

    pods.say(service, ready=False)
    service.wait("Ready", "False")
    assert service.conditions()["Available"]["status"] == "False"
    assert service.child("deployments")["metadata"]["generation"] == before
    pods.say(service, ready=True)
    service.ready()
    service.wait("Reconciling", "False", "Paused")


def test_a_deployment_that_loses_its_label_during_a_pause_is_told_of_as_it_is(service: Service) -> None:
    service.create(replicas=1, **pods.PARKED)
    pods.say(service, ready=True)
    service.ready()
    service.edit(paused=True)
    service.wait("Reconciling", "False", "Paused")

    unlabelled = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
    service.api.patch("deployments", service.namespace, service.name, unlabelled)
    service.edit(logging={"level": "DEBUG"})
    service.ready()

    pods.say(service, ready=False)
    service.wait("Available", "False", "MinimumReplicasUnavailable", seconds=60)  # no event tells of it
    assert service.conditions()["Available"]["message"] == "0 of 1 pods serve"

    service.edit(paused=False)
    label = "app.kubernetes.io/managed-by"
    eventually(lambda: label in service.child("deployments")["metadata"]["labels"], "the label to be put back")
