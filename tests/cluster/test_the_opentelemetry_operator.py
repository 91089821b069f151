"""Jaeger left to the OpenTelemetry operator, which runs: what it makes of its custom resource, and we of its status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest

from dev.bench.programs import SERVICE, http, serving
from tests.cluster import opentelemetry
from tests.cluster.products import COLLECTORS, opentelemetry_operator
from tests.programs import OPENTELEMETRY_OPERATOR, built
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster.paths import Layout
    from tests.api import Api, Object
    from tests.cluster.operators import Service

# A cold build of that operator takes some minutes; this file is the last of its suite, so that nobody waits for it.
pytestmark = pytest.mark.timeout(1500)

FORMAT = {"format": "OpenTelemetryCollector"}
# Nobody here makes the volume that this asks for.
WITH_VOLUME = FORMAT | {"storage": {"type": "Badger"}, "tailSampling": {"mode": "Enabled"}}


@pytest.fixture(scope="module")
def program(api: Api) -> Iterator[Path]:
    """Build it, and have its kinds on the cluster."""
    (program,) = built(OPENTELEMETRY_OPERATOR)
    product = opentelemetry_operator(api, *opentelemetry.KINDS)
    product.install()
    yield program
    product.remove()


@pytest.fixture
def collected(program: Path, cluster: Layout, service: Service) -> Iterator[Service]:
    """Run it beside a service that is still to be created, until all that it holds back is gone."""
    with opentelemetry.operating(program, cluster, service.api, service.namespace):
        yield service
        if service.exists():
            service.api.delete("texttoimageservices", service.namespace, service.name)
        eventually(lambda: collector(service) is None, "its finalizer to be served", 60)


def create(service: Service, jaeger: Object, **monitoring: Object) -> Object:
    service.create(monitoring={**UNOBSERVED, **monitoring, "tracing": {"mode": "Managed", "jaeger": jaeger}})
    return eventually(lambda: collector(service), "the OpenTelemetryCollector")


def collector(service: Service) -> Object | None:
    return service.api.find(COLLECTORS, service.namespace, f"{service.name}-jaeger")


def spans(page: str) -> set[str]:
    """Return the names of a trace's spans, none while Jaeger does not know it."""
    found = httpx.get(page, timeout=30)
    return {span["operationName"] for span in found.json()["data"][0]["spans"]} if found.is_success else set()


def ready_pods(service: Service) -> str:
    """Return how many that operator says are ready."""
    replicas: str = (collector(service) or {})["status"]["scale"]["statusReplicas"]
    return replicas.partition("/")[0]


def address(service: Service, suffix: str, port: int) -> str:
    return f"http://{service.child('services', suffix)['spec']['clusterIP']}:{port}"


def test_it_is_taken_whole_and_owned(collected: Service) -> None:
    found = create(collected, WITH_VOLUME)
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == (collected.live()["metadata"]["uid"], True)
    assert found["spec"]["mode"] == "deployment"
    assert found["spec"]["config"]["service"]["pipelines"].keys() == {"traces", "traces/sampled", "metrics"}
    assert "traces" in {volume["name"] for volume in found["spec"]["volumes"]}
    assert collected.api.find("deployments", collected.namespace, f"{collected.name}-jaeger") is None


def test_its_pod_keeps_what_a_service_sends(stack: None, collected: Service) -> None:
    create(collected, FORMAT, metrics={"mode": "Managed"})
    collected.wait("TracingReady", "True", "InPlace", seconds=120)
    with serving(SERVICE, {"OTLP_ENDPOINT": address(collected, "-jaeger-collector", 4317)}) as service:
        answer = json.loads(http(f"{service.url}/generate", {"prompt": "a lighthouse", "width": 64, "height": 64}))
        page = f"{address(collected, '-jaeger-query', 16686)}/api/traces/{answer['trace_id']}"
        eventually(lambda: {"generate_image", "sandbox_sdxl"} <= spans(page), "the trace", 60)
    metrics = f"{address(collected, '-jaeger-metrics', 8889)}/metrics"
    eventually(lambda: "traces_span_metrics_calls_total{" in httpx.get(metrics, timeout=30).text, "what is scraped", 60)


def test_what_it_says_of_its_pods_is_what_is_said_here(stack: None, collected: Service) -> None:
    """A pod that waits for a volume, one that needs none, and one that waits again."""
    create(collected, WITH_VOLUME)
    for storage, status, reason in (
        (None, "False", "JaegerNotReady"),
        ("Memory", "True", "InPlace"),
        ("Badger", "False", "JaegerNotReady"),
    ):
        if storage:
            collected.edit(monitoring={"tracing": {"jaeger": {"storage": {"type": storage}}}})
        eventually(lambda status=status: ready_pods(collected) == str(int(status == "True")), "its word on that", 120)
        message = collected.wait("TracingReady", status, reason)["message"]
        assert "OpenTelemetryCollector pictures-jaeger" in message
    collected.ready()


def test_it_is_repaired_and_made_again(collected: Service) -> None:
    name = f"{collected.name}-jaeger"
    before = create(collected, WITH_VOLUME)["metadata"]["uid"]
    collected.api.patch(COLLECTORS, collected.namespace, name, {"spec": {"config": {"connectors": None}}})
    eventually(lambda: collected.child(COLLECTORS, "-jaeger")["spec"]["config"]["connectors"], "it to be put back")
    collected.api.delete(COLLECTORS, collected.namespace, name)
    eventually(lambda: (collector(collected) or {})["metadata"]["uid"] != before, "another one")


def test_it_goes_with_the_format_and_makes_room_for_our_own_service(collected: Service) -> None:
    """Its Service has the name of ours, which cannot be made until the garbage collector has taken that."""
    create(collected, WITH_VOLUME)
    name = f"{collected.name}-jaeger-collector"
    theirs = eventually(lambda: collected.api.find("services", collected.namespace, name), "its Service")
    assert theirs["metadata"]["ownerReferences"][0]["kind"] == "OpenTelemetryCollector"

    collected.edit(monitoring={"tracing": {"jaeger": {"format": "Deployment"}}})
    eventually(lambda: collector(collected) is None, "it to be pruned")
    assert eventually(lambda: collected.child("deployments", "-jaeger"), "our own Jaeger")
    ours = eventually(lambda: another(collected, name, theirs), "our own Service", seconds=120)
    assert ours["metadata"]["ownerReferences"][0]["uid"] == collected.live()["metadata"]["uid"]


def another(service: Service, name: str, before: Object) -> Object | None:
    found = service.api.get("services", service.namespace, name)
    return found if found["metadata"]["uid"] != before["metadata"]["uid"] else None
