"""Jaeger that we run again: the OpenTelemetry operator's Service has the name of ours, and goes with its collector."""

from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import DEPLOYMENT, OPENTELEMETRY_COLLECTOR, SERVICE, Object

from tests.unit.operator.harness import JAEGER, KEY, Harness
from tests.unit.operator.resources import UNOBSERVED

COLLECTOR, DEPLOYED = JAEGER[OPENTELEMETRY_COLLECTOR], JAEGER[DEPLOYMENT]
SPANS = Id(SERVICE, KEY.namespace, f"{KEY.name}-jaeger-collector")


def jaeger(form: str) -> Object:
    return {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"format": form}}}}


async def beside_the_other_operator_s_service() -> Harness:
    """Return a resource whose collector has a Service, as that operator makes one."""
    harness = Harness(**jaeger("OpenTelemetryCollector"))
    await harness.look()
    uid = harness.cluster.live[COLLECTOR]["metadata"]["uid"]
    owner = {"kind": COLLECTOR.kind.name, "name": COLLECTOR.name, "uid": uid, "controller": True}
    metadata = {"name": SPANS.name, "namespace": SPANS.namespace, "uid": "theirs", "resourceVersion": "1"}
    harness.cluster.live[SPANS] = {"metadata": {**metadata, "ownerReferences": [owner]}}
    return harness


async def test_the_collector_makes_room_for_our_own_service() -> None:
    harness = await beside_the_other_operator_s_service()
    harness.edit(**jaeger("Deployment"))
    said = await harness.look()
    assert said["TracingReady"][1:3] == ("False", "Replacing")
    assert f"{SPANS} is the OpenTelemetry operator's, and goes with {COLLECTOR}" in said["TracingReady"].message
    assert said["Ready"].holds
    assert DEPLOYED in harness.outcome.created, "its pod mounts no Service"
    assert harness.outcome.deleted == [COLLECTOR]

    said = await harness.look()
    assert said["TracingReady"].reason == "Replacing"
    assert not harness.outcome.waiting, "all else of the resource goes its way"
    assert await harness.reconciler.reconcile(KEY) == 5, "no event tells when a Service that is not ours has gone"

    del harness.cluster.live[SPANS]
    await harness.look()
    assert harness.outcome.created == [SPANS]


async def test_a_collector_of_somebody_else_stays_and_is_told_of() -> None:
    harness = await beside_the_other_operator_s_service()
    (owner,) = harness.cluster.live[COLLECTOR]["metadata"]["ownerReferences"]
    owner["uid"] = "another"
    harness.edit(**jaeger("Deployment"))
    assert (await harness.look())["TracingReady"][1:3] == ("False", "Conflict")
    assert COLLECTOR in harness.cluster.live


async def test_a_service_of_a_collector_whose_kind_is_not_served_is_waited_for_by_nobody() -> None:
    """As where the OpenTelemetry operator serves an older version alone, or its CRDs went and the Service did not."""
    harness = await beside_the_other_operator_s_service()
    del harness.cluster.live[COLLECTOR]
    harness.cluster.unserved.add(OPENTELEMETRY_COLLECTOR)
    harness.edit(**jaeger("Deployment"))
    said = await harness.look()
    assert said["TracingReady"][1:3] == ("False", "Conflict")
    assert said["Reconciling"].reason != "Waiting"
    assert said["Ready"].holds


async def test_under_a_pause_what_would_make_room_is_not_waited_for() -> None:
    harness = await beside_the_other_operator_s_service()
    harness.edit(**jaeger("Deployment"), paused=True)
    said = await harness.look()
    assert said["TracingReady"][1:3] == ("False", "Missing")
    assert f"{SPANS} is missing, and spec.paused keeps it from being made" in {
        fault.message for fault in harness.outcome.faults
    }
    assert COLLECTOR in harness.cluster.live
