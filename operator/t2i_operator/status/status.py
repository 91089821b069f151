"""The status as the API server stores it."""

from collections.abc import Iterable

from t2i_operator import naming
from t2i_operator.builders.tracing import traces_endpoint
from t2i_operator.known.faults import APPLY_FAILED, CONFLICT
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.kinds import SERVICE, Object
from t2i_operator.naming import Key
from t2i_operator.status.conditions import Condition

_MESSAGE_CHARACTERS = 1024  # the rest of a sentence this long helps nobody; etcd keeps every version of it
_UNPLACED = (APPLY_FAILED, CONFLICT)


def status(key: Key, outcome: Outcome, conditions: Iterable[Condition], before: Object, now: str) -> Object:
    """Return the whole status; a condition's time stays while its status does, so that equal facts make it equal."""
    rollout = outcome.rollout or Rollout(wanted=0)
    known = {condition["type"]: condition for condition in before.get("conditions", ())}
    return {
        "observedGeneration": outcome.generation,
        "conditions": [
            _stored(condition, known.get(condition.type), outcome.generation, now) for condition in conditions
        ],
        "replicas": rollout.replicas,
        "readyReplicas": rollout.new_ready,
        "replicasSummary": f"{rollout.new_ready}/{rollout.wanted}",
        "selector": naming.selector_text(key.name),
        **_endpoints(key, outcome, before),
        "objects": [
            {"apiVersion": identity.kind.api_version, "kind": identity.kind.name, "name": identity.name}
            for identity in sorted(outcome.objects)
        ],
    }


def _endpoints(key: Key, outcome: Outcome, before: Object) -> Object:
    """Say where the service answers and where its spans go; a spec that is not carried out has moved neither.

    Nor has one, for all that is known, whose objects the API server did not let us reach.
    """
    resource = outcome.resource
    unplaced = any(fault.identity.kind == SERVICE for fault in outcome.of(*_UNPLACED))
    undone = outcome.invalid or outcome.failure or outcome.stopped or unplaced
    if "endpoint" in before and (resource is None or undone or resource.spec.paused):
        return {name: before[name] for name in ("endpoint", "tracesEndpoint") if name in before}
    if resource is None:
        return {}
    traces = traces_endpoint(resource)
    endpoint = naming.endpoint(key, resource.spec.service.port)
    return {"endpoint": endpoint, **({"tracesEndpoint": traces} if traces else {})}


def _stored(condition: Condition, known: Object | None, generation: int, now: str) -> Object:
    known = known or {}
    same = known.get("status") == condition.status and known.get("lastTransitionTime")
    return {
        "type": condition.type,
        "status": condition.status,
        "observedGeneration": generation,
        "lastTransitionTime": known["lastTransitionTime"] if same else now,
        "reason": condition.reason,
        "message": condition.message[:_MESSAGE_CHARACTERS],
    }
