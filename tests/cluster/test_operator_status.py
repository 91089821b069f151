"""The status is written when it says something new, and only then."""

import json
from collections.abc import Iterator

import pytest

from tests.api import Api, Object
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric
from tests.waiting import eventually

LOOKS = 3


@pytest.fixture
def own_operator(namespace: str, crd: str, own_account: OperatorAccount) -> Iterator[OperatorProcess]:
    """Run an operator for this test's namespace only, so that its looks can be counted."""
    operator = own_account.process("status", namespaces=namespace, leader_election=False, resync_seconds=1)
    operator.start()
    yield operator
    operator.stop()


@pytest.fixture
def mine(api: Api, namespace: str, own_operator: OperatorProcess) -> Service:
    service = Service(api, namespace, own_operator.class_name)
    service.create()
    service.ready()
    return service


def _look(operator: OperatorProcess) -> None:
    """Wait for looks that began after this moment."""
    series = 't2i_operator_reconciles_total{result="success"}'
    before = metric(operator, series)
    eventually(lambda: metric(operator, series) >= before + LOOKS, "some looks")


def test_status_is_written_only_on_change(mine: Service, own_operator: OperatorProcess) -> None:
    _look(own_operator)
    before = mine.live()["metadata"]["resourceVersion"]
    mine.api.patch("deployments", mine.namespace, mine.name, {"metadata": {"labels": {"team": "images"}}})
    mine.api.patch("services", mine.namespace, f"{mine.name}-service", {"metadata": {"labels": {"app": "x"}}})
    _look(own_operator)

    after = mine.live()
    assert after["metadata"]["resourceVersion"] == before, json.dumps(after["status"])


def test_what_others_say_in_the_status_stays_and_causes_no_writes(mine: Service, own_operator: OperatorProcess) -> None:
    theirs: Object = {"type": "Theirs", "status": "True", "reason": "Because", "message": "they say so"}
    theirs |= {"lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    identity = {"apiVersion": "texttoimage.dev/v1alpha1", "kind": "TextToImageService", "metadata": {"name": mine.name}}
    path = mine.api.path("texttoimageservices", mine.namespace, mine.name) + "/status"
    body = {**identity, "status": {"conditions": [theirs]}}
    _look(own_operator)
    mine.api.apply(path, body, manager="theirs")
    before = mine.live()["metadata"]["resourceVersion"]
    _look(own_operator)

    assert mine.live()["metadata"]["resourceVersion"] == before
    assert mine.conditions()["Theirs"]["reason"] == "Because"
