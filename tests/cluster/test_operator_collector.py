"""Jaeger left to the OpenTelemetry operator: its custom resource is taken, owned, repaired and pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.products import opentelemetry_operator, pods_of_a_collector
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api import Api, Object
    from tests.cluster.operators import Service

COLLECTORS = "opentelemetrycollectors"
FORMAT = {"format": "OpenTelemetryCollector", "storage": {"type": "Badger"}, "tailSampling": {"mode": "Enabled"}}


@pytest.fixture(scope="module", autouse=True)
def collectors(api: Api) -> Iterator[None]:
    product = opentelemetry_operator(api)
    product.install()
    yield
    product.remove()


@pytest.fixture
def collected(service: Service) -> Service:
    service.create(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": FORMAT}})
    eventually(lambda: collector(service), "the OpenTelemetryCollector")
    return service


def collector(service: Service) -> Object | None:
    return service.api.find(COLLECTORS, service.namespace, f"{service.name}-jaeger")


def test_it_is_taken_whole_and_owned(collected: Service) -> None:
    found = collected.child(COLLECTORS, "-jaeger")
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (collected.live()["metadata"]["uid"], True)
    assert found["spec"]["mode"] == "deployment"
    assert found["spec"]["config"]["service"]["pipelines"].keys() == {"traces", "traces/sampled", "metrics"}
    assert "traces" in {volume["name"] for volume in found["spec"]["volumes"]}
    assert collected.api.find("deployments", collected.namespace, f"{collected.name}-jaeger") is None


def test_it_is_ready_by_the_status_that_the_other_operator_writes(collected: Service) -> None:
    """Played by the test: that operator's program cannot be run here, and its status is what is looked at."""
    message = collected.wait("TracingReady", "False", "JaegerNotReady")["message"]
    assert "OpenTelemetryCollector pictures-jaeger" in message
    for ready, status, reason in (("0/1", "False", "JaegerNotReady"), ("1/1", "True", "InPlace")):
        pods_of_a_collector(collected, ready)
        collected.wait("TracingReady", status, reason)
    pods_of_a_collector(collected, "0/1")
    collected.wait("TracingReady", "False", "JaegerNotReady")
    collected.ready()


def test_it_is_repaired_and_made_again(collected: Service) -> None:
    name = f"{collected.name}-jaeger"
    collected.api.patch(COLLECTORS, collected.namespace, name, {"spec": {"config": {"connectors": None}}})
    eventually(lambda: collected.child(COLLECTORS, "-jaeger")["spec"]["config"]["connectors"], "it to be put back")
    before = collected.child(COLLECTORS, "-jaeger")["metadata"]["uid"]
    collected.api.delete(COLLECTORS, collected.namespace, name)
    eventually(lambda: (collector(collected) or {})["metadata"]["uid"] != before, "another one")


def test_it_goes_with_the_format(collected: Service) -> None:
    collected.edit(monitoring={"tracing": {"jaeger": {"format": "Deployment"}}})
    eventually(lambda: collector(collected) is None, "it to be pruned")
    assert collected.child("deployments", "-jaeger")


def test_it_makes_room_for_our_own_service_where_that_operator_has_made_one(collected: Service) -> None:
    """That operator's Service has the name of ours, which cannot be made until the garbage collector has taken that."""
    theirs, name = collected.child(COLLECTORS, "-jaeger"), f"{collected.name}-jaeger-collector"
    owner = {"name": theirs["metadata"]["name"], "uid": theirs["metadata"]["uid"], "controller": True}
    reference = {"apiVersion": theirs["apiVersion"], "kind": theirs["kind"], **owner}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "ownerReferences": [reference]}}
    made = collected.api.create("services", collected.namespace, {**body, "spec": {"ports": [{"port": 4317}]}})

    collected.edit(monitoring={"tracing": {"jaeger": {"format": "Deployment"}}})
    eventually(lambda: collector(collected) is None, "it to be pruned")
    ours = eventually(lambda: another(collected, name, made), "our own Service", seconds=120)
    assert ours["metadata"]["ownerReferences"][0]["uid"] == collected.live()["metadata"]["uid"]


def another(service: Service, name: str, before: Object) -> Object | None:
    found = service.api.get("services", service.namespace, name)
    return found if found["metadata"]["uid"] != before["metadata"]["uid"] else None
