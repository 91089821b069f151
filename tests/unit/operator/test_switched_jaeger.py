"""Jaeger that is run by us again: the OpenTelemetry operator's Service has the name of ours, and goes with its collector."""

from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import DEPLOYMENT, OPENTELEMETRY_COLLECTOR, SERVICE, Object

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.resources import UNOBSERVED

COLLECTOR, JAEGER = (Id(kind, KEY.namespace, f"{KEY.name}-jaeger") for kind in (OPENTELEMETRY_COLLECTOR, DEPLOYMENT))
SPANS = Id(SERVICE, KEY.namespace, f"{KEY.name}-jaeger-collector")


def jaeger(form: str) -> Object:
    return {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"format": form}}}}


async def beside_the_other_operator_s_service() -> Parts:
    """Return a resource whose collector has a Service, as that operator makes one."""
    parts = Parts(**jaeger("OpenTelemetryCollector"))
    await parts.look()
    uid = parts.cluster.live[COLLECTOR]["metadata"]["uid"]
    owner = {"kind": COLLECTOR.kind.name, "name": COLLECTOR.name, "uid": uid, "controller": True}
    metadata = {"name": SPANS.name, "namespace": SPANS.namespace, "uid": "theirs", "resourceVersion": "1"}
    parts.cluster.live[SPANS] = {"metadata": {**metadata, "ownerReferences": [owner]}}
    return parts


async def test_the_collector_makes_room_for_our_own_service() -> None:
    parts = await beside_the_other_operator_s_service()
    parts.edit(**jaeger("Deployment"))
    said = await parts.look()
    assert said["TracingReady"][1:3] == ("False", "Replacing")
    assert f"{SPANS} is the OpenTelemetry operator's, and goes with {COLLECTOR}" in said["TracingReady"].message
    assert said["Ready"].holds
    assert JAEGER in parts.outcome.created, "it takes over as soon as there is a way to it"
    assert parts.outcome.deleted == [COLLECTOR]

    await parts.look()
    assert parts.outcome.faults == []
    assert parts.outcome.waiting == f"{SPANS} belongs to a deleted {COLLECTOR}; it is being collected"

    del parts.cluster.live[SPANS]
    await parts.look()
    assert parts.outcome.created == [SPANS]


async def test_a_collector_of_somebody_else_stays_and_is_told_of() -> None:
    parts = await beside_the_other_operator_s_service()
    (owner,) = parts.cluster.live[COLLECTOR]["metadata"]["ownerReferences"]
    owner["uid"] = "another"
    parts.edit(**jaeger("Deployment"))
    assert (await parts.look())["TracingReady"][1:3] == ("False", "Conflict")
    assert COLLECTOR in parts.cluster.live
