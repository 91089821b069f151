"""The operator's own metrics count what they say: exactly, after deeds that are known."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.api import Api
from tests.cluster.fault_proxy import SILENT, FaultProxy
from tests.cluster.forwarder import is_watch
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service
from tests.waiting import eventually

REMOTE = {"name": "sdxl", "provider": "Replicate", "version": "a" * 64}


class Counted(FaultProxy):
    """Counts what the API server answers, by verb and code."""

    def __init__(self, kubeconfig: Path) -> None:
        self.answers: Counter[tuple[str, str]] = Counter()
        super().__init__(kubeconfig)

    def answered(self, request: web.Request, status: int) -> None:
        verb = "watch" if is_watch(request) else request.method.lower()
        self.answers[verb, str(status)] += 1


class Measured(NamedTuple):
    """An operator with one worker, the way from it to the API server, and three resources of its."""

    way: Counted
    operator: OperatorProcess
    services: list[Service]

    def counted(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the values of a metric by those of its labels; what is 0 is left out."""
        families = text_string_to_metric_families(self.operator.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples if sample.name == f"t2i_operator_{name}"]
        return {tuple(each.labels[label] for label in labels): each.value for each in samples if each.value}

    def ready(self) -> dict[str, float]:
        """Return how many resources are ready and how many are not."""
        found = self.counted("resources", "condition", "status")
        return {status: number for (condition, status), number in found.items() if condition == "Ready"}

    def waiting(self) -> float:
        """Return how many resources wait for the worker."""
        return self.counted("queue_depth").get((), 0.0)


@pytest.fixture
def scene(api: Api, namespace: str, crd: str, own_account: OperatorAccount) -> Iterator[Measured]:
    way = Counted(own_account.kubeconfig)
    account = own_account._replace(kubeconfig=way.kubeconfig)
    operator = account.process("counting", namespaces=namespace, leader_election=False, workers=1)
    operator.start()
    services = [Service(api, namespace, operator.class_name, f"s{number}") for number in range(3)]
    for service in services:
        service.create()
    for service in services:
        service.ready()
    yield Measured(way, operator, services)
    way.heal()
    assert operator.stop() == 0
    way.close()
    assert not operator.events("by a bug")


def test_what_is_counted_is_what_was_done(scene: Measured) -> None:
    first, second, third = scene.services
    assert scene.counted("drift_repaired_total", "kind") == {}
    eventually(lambda: scene.ready() == {"True": 3}, "all three to be counted")

    for service in (first, second):
        service.api.delete("configmaps", service.namespace, f"{service.name}-config")
    late = {"spec": {"progressDeadlineSeconds": 17}}
    first.api.patch("deployments", first.namespace, first.name, late)
    repaired = {("ConfigMap",): 2, ("Deployment",): 1}
    eventually(lambda: scene.counted("drift_repaired_total", "kind") == repaired, "three repairs to be counted")

    third.edit(models=[REMOTE])
    third.wait("Ready", "False", "SecretMissing")
    eventually(lambda: scene.ready() == {"True": 2, "False": 1}, "one that is not ready to be counted")
    third.api.delete("texttoimageservices", third.namespace, third.name)
    eventually(lambda: scene.ready() == {"True": 2}, "one that is gone to be counted no more")

    def alike() -> bool:
        assert scene.counted("api_requests_total", "verb", "code") == scene.way.answers
        return True

    eventually(alike, "every request to be counted, once")

    def timed() -> bool:
        found = scene.counted("reconciles_total", "result")
        return scene.counted("reconcile_duration_seconds_count") == {(): sum(found.values())}

    eventually(timed, "every reconciliation to have its duration")
    assert scene.counted("reconcile_duration_seconds_sum")
    assert scene.counted("drift_repaired_total", "kind") == repaired


def test_the_queue_is_as_deep_as_resources_wait_for_the_worker(scene: Measured) -> None:
    eventually(lambda: scene.waiting() == 0, "nothing to wait")
    scene.way.spoil(SILENT._replace(concerns=lambda request: request.method != "GET"))
    for service in scene.services:
        service.edit(logging={"level": "DEBUG"})
    eventually(lambda: scene.waiting() == len(scene.services) - 1, "all but one to wait")

    scene.way.heal()
    for service in scene.services:
        service.ready()
    eventually(lambda: scene.waiting() == 0, "nothing to wait any more")
