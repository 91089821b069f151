"""Replicas: nobody fights over them, and no switch of the autoscaler costs a pod."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from dev.cluster.paths import Layout
from tests.api import Object
from tests.cluster import pods
from tests.cluster.operators import OperatorAccount, Service, writes
from tests.waiting import eventually

MANAGER, NOTE = "text-to-image-operator", "texttoimage.dev/replicas"


@contextmanager
def every_number(cluster: Layout, service: Service, log: Path) -> Iterator[Callable[[], list[int]]]:
    """Follow the Deployment by a watch, which brings every version of it; yield what reads the numbers so far."""
    template = '-o=jsonpath={.spec.replicas}{"\\n"}'
    command = [str(cluster.kubectl), f"--kubeconfig={cluster.kubeconfig}", f"--namespace={service.namespace}"]
    with log.open("w") as out:
        watch = subprocess.Popen([*command, "get", "deployment", service.name, "--watch", template], stdout=out)  # noqa: S603

    def numbers() -> list[int]:
        return [int(line) for line in log.read_text().split()]

    try:
        eventually(numbers, "the watch to begin")
        yield numbers
    finally:
        watch.terminate()
        watch.wait(timeout=10)


def autoscaler(service: Service) -> Object | None:
    return service.api.find("horizontalpodautoscalers", service.namespace, service.name)


def taken_up(service: Service) -> bool:
    """Tell whether the autoscaler's controller has looked at the Deployment."""
    found = autoscaler(service)
    conditions = found.get("status", {}).get("conditions", ()) if found else ()
    return any(each["type"] == "AbleToScale" and each["status"] == "True" for each in conditions)


def replicas(service: Service) -> int:
    number: int = service.child("deployments")["spec"]["replicas"]
    return number


def noted(service: Service) -> str | None:
    annotations: dict[str, str] = service.child("deployments")["metadata"]["annotations"]
    return annotations.get(NOTE)


def owners(service: Service) -> set[str]:
    """Return who owns `replicas`, by the API server's record."""
    fields = service.child("deployments")["metadata"]["managedFields"]
    return {each["manager"] for each in fields if "f:replicas" in each.get("fieldsV1", {}).get("f:spec", {})}


@pytest.fixture
def five(service: Service) -> Service:
    service.create(replicas=5, **pods.PARKED)
    eventually(lambda: service.api.find("deployments", service.namespace, service.name), "the Deployment")
    return service


def test_an_autoscaler_on_and_off_at_5_replicas_never_drops_below_5(
    five: Service, cluster: Layout, tmp_path: Path
) -> None:
    with every_number(cluster, five, tmp_path / "numbers") as numbers:
        for _ in range(2):
            five.edit(autoscaling={"minReplicas": 5, "maxReplicas": 9})
            eventually(lambda: taken_up(five), "the autoscaler to be in charge", seconds=60)
            assert MANAGER not in owners(five)

            five.edit(autoscaling=None)
            eventually(lambda: autoscaler(five) is None, "the autoscaler to be pruned")
            assert MANAGER in owners(five)
        five.edit(replicas=6)
        eventually(lambda: numbers()[-1] == 6, "the watch to have seen it all")

    assert min(numbers()) >= 5, numbers()


def test_an_autoscaler_off_where_no_number_is_stated_leaves_the_pods_that_are_there(
    five: Service, cluster: Layout, tmp_path: Path
) -> None:
    with every_number(cluster, five, tmp_path / "numbers") as numbers:
        five.edit(replicas=None, autoscaling={"minReplicas": 6, "maxReplicas": 9})
        eventually(lambda: replicas(five) == 6, "the autoscaler to scale", seconds=60)

        five.edit(autoscaling=None)
        eventually(lambda: autoscaler(five) is None, "the autoscaler to be pruned")
        assert MANAGER in owners(five)
        five.api.patch("deployments", five.namespace, five.name, {"spec": {"replicas": 8}})
        eventually(lambda: 8 in numbers() and numbers()[-1] == 6, "what was set by hand to be put back")
        note = {"metadata": {"annotations": {NOTE: "9"}}}
        five.api.patch("deployments", five.namespace, five.name, note)
        eventually(lambda: noted(five) == "6", "the note of somebody else to be written anew")
        five.edit(replicas=7)
        eventually(lambda: numbers()[-1] == 7, "the watch to have seen it all")

    assert min(numbers()) >= 5, numbers()
    assert 9 not in numbers(), "a note that somebody else wrote is not obeyed"


def test_no_fight_with_an_autoscaler_over_replicas(
    five: Service, cluster: Layout, operator_account: OperatorAccount
) -> None:
    five.edit(autoscaling={"minReplicas": 7, "maxReplicas": 9})
    eventually(lambda: replicas(five) == 7, "the autoscaler to scale", seconds=60)
    assert owners(five) == {"kube-controller-manager"}
    offset = cluster.audit_log.stat().st_size

    scale = five.api.path("deployments", five.namespace, five.name) + "/scale"
    five.api.request("PATCH", scale, {"spec": {"replicas": 8}}, "application/merge-patch+json", fieldManager="scaler")
    five.edit(logging={"level": "DEBUG"})

    eventually(lambda: five.live()["status"]["observedGeneration"] == 3, "the edit to arrive")
    eventually(lambda: five.live()["status"]["replicasSummary"].endswith("/8"), "the status to follow")
    assert replicas(five) == 8
    touched = {each["objectRef"]["resource"] for each in writes(cluster.audit_log, operator_account.username, offset)}
    assert "horizontalpodautoscalers" not in touched


@pytest.fixture
def ready(five: Service) -> Service:
    eventually(lambda: len(pods.names(five)) == 5, "five pods")
    pods.say(five, ready=True)
    five.ready()
    return five


def test_pods_that_may_be_away_lower_nothing(ready: Service) -> None:
    one, other, *_ = sorted(pods.names(ready))
    ready.api.delete("pods", ready.namespace, one)
    assert ready.wait("Ready", "True", "Scaling")["message"] == "4 of 5 pods serve"
    assert ready.conditions()["Available"]["status"] == "True"

    ready.api.delete("pods", ready.namespace, other)
    assert ready.wait("Ready", "False", "MinimumReplicasUnavailable")["message"] == "3 of 5 pods serve"

    eventually(lambda: len(pods.names(ready)) == 5, "others in their place")
    pods.say(ready, ready=True)
    ready.wait("Ready", "True", "Ready")


def test_a_pod_that_an_autoscaler_asks_for_lowers_nothing(ready: Service) -> None:
    ready.edit(autoscaling={"minReplicas": 5, "maxReplicas": 9})
    eventually(lambda: taken_up(ready), "the autoscaler to be in charge", seconds=60)
    since = ready.wait("Ready", "True", "Ready")["lastTransitionTime"]

    scale = ready.api.path("deployments", ready.namespace, ready.name) + "/scale"
    ready.api.request("PATCH", scale, {"spec": {"replicas": 6}}, "application/merge-patch+json", fieldManager="scaler")

    assert ready.wait("Ready", "True", "Scaling")["message"] == "5 of 6 pods serve"
    eventually(lambda: len(pods.names(ready)) == 6, "the sixth pod")
    pods.say(ready, ready=True)
    assert ready.wait("Ready", "True", "Ready")["lastTransitionTime"] == since, "it fell and rose again"


def test_spec_replicas_counts_again_once_the_autoscaler_is_off(five: Service) -> None:
    five.edit(autoscaling={"minReplicas": 6, "maxReplicas": 9})
    eventually(lambda: replicas(five) == 6, "the autoscaler to scale", seconds=60)

    five.edit(autoscaling=None)

    eventually(lambda: replicas(five) == 5, "what the spec says")
    eventually(lambda: autoscaler(five) is None, "the autoscaler to be pruned")


def test_an_autoscaler_wakes_a_service_at_0(service: Service) -> None:
    service.create(replicas=0, **pods.PARKED)
    eventually(lambda: service.api.find("deployments", service.namespace, service.name), "the Deployment")

    service.edit(autoscaling={"minReplicas": 2, "maxReplicas": 3})

    eventually(lambda: replicas(service) == 2, "the autoscaler to scale", seconds=60)


def test_a_pod_disruption_budget_from_the_cr_comes_and_goes_with_the_second_replica(service: Service) -> None:
    service.create(replicas=1, **pods.PARKED)
    eventually(lambda: service.api.find("deployments", service.namespace, service.name), "the Deployment")
    assert budget(service) is None

    service.edit(autoscaling={"minReplicas": 1, "maxReplicas": 3})
    eventually(lambda: autoscaler(service), "the autoscaler")
    scale = service.api.path("deployments", service.namespace, service.name) + "/scale"
    for number in (2, 1, 3):
        body = {"spec": {"replicas": number}}
        service.api.request("PATCH", scale, body, "application/merge-patch+json", fieldManager="scaler")
        eventually(partial(budget_fits, service, number), f"the budget of {number} pods")


def budget_fits(service: Service, number: int) -> bool:
    return (budget(service) is not None) is (number > 1)


def budget(service: Service) -> Object | None:
    return service.api.find("poddisruptionbudgets", service.namespace, service.name)
