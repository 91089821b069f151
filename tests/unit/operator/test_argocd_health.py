"""Argo CD's health check, run by a Lua 5.1 as Argo CD runs it, on what the operator says in each state."""

from pathlib import Path
from typing import Any

import pytest
from lupa.lua51 import LuaRuntime
from t2i_operator.known.credentials import Problem
from t2i_operator.known.faults import APPLY_FAILED, READY, ROUTE_READY, Fault
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.pods import Trouble
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import INGRESS
from t2i_operator.naming import Key
from t2i_operator.status.conditions import conditions
from t2i_operator.status.status import status

from tests.unit.operator.resources import deployed, resource

SCRIPT = Path(__file__).parents[3] / "manifests/argocd/health.lua"
TAKEN = ApiError(422, "Denied", "host images.example.com is taken")
REFUSED = Fault(Id(INGRESS, "studio", "pictures"), ROUTE_READY, APPLY_FAILED, TAKEN.message, TAKEN)
BROKEN: dict[str, Any] = {"readyReplicas": 0, "availableReplicas": 0}
CRASH = Trouble("0", "CrashLoopBackOff", "pod pictures-b: container main exits with code 1; see its logs")
UNPLACED = Trouble("0", "Unschedulable", "pod pictures-b: 0/3 nodes are available")
MISSING = Problem("SecretMissing", "there is no Secret keys")


def told(*, generation: int = 2, **found: Any) -> dict[str, Any]:
    """Return the resource once a pass that found this of generation 2 has told of it."""
    found = {"resource": resource(), "rollout": deployed(), **found}
    outcome = Outcome(generation=2, **found)
    if outcome.failure:
        outcome.cannot_judge([READY], ApiError(403, "Forbidden", outcome.failure))
    said = status(Key("studio", "pictures"), outcome, conditions(outcome), {}, "2026-01-01T00:00:00Z")
    paused = outcome.resource is not None and outcome.resource.spec.paused
    return {"metadata": {"generation": generation}, "spec": {"paused": paused}, "status": said}


STATES = {
    "just made": (
        {"metadata": {"generation": 1}, "spec": {}, "status": {"observedGeneration": -1}},
        "Progressing",
        "not seen this generation",
    ),
    "made under an older CRD": ({"metadata": {"generation": 1}, "spec": {}}, "Progressing", "not seen this generation"),
    "edited": (told(generation=3), "Progressing", "not seen this generation"),
    "serving": (told(), "Healthy", "2 of 2 pods serve"),
    "rolling out": (told(rollout=deployed("ReplicaSetUpdated", updatedReplicas=1)), "Progressing", "1 of 2 pods are"),
    "crashing in its rollout": (
        told(rollout=deployed("ReplicaSetUpdated", **BROKEN), trouble=CRASH),
        "Progressing",
        "exits with code 1",
    ),
    "past its deadline": (
        told(rollout=deployed("ProgressDeadlineExceeded", **BROKEN), trouble=CRASH),
        "Degraded",
        "as the controller says",
    ),
    "broken after a rollout": (told(rollout=deployed(**BROKEN), trouble=CRASH), "Degraded", "exits with code 1"),
    "waiting for a node": (
        told(rollout=deployed(**BROKEN), trouble=UNPLACED, awaiting_node=2),
        "Progressing",
        "0/3 nodes are available",
    ),
    "without a node for long": (told(rollout=deployed(**BROKEN), trouble=UNPLACED), "Degraded", "0/3 nodes"),
    "without its Secret": (told(credentials=MISSING), "Degraded", "there is no Secret keys"),
    "refused": (told(failure="exceeded quota"), "Degraded", "exceeded quota"),
    "refused way in": (told(faults=[REFUSED]), "Degraded", "host images.example.com is taken"),
    "invalid": (told(invalid="spec.models: Is required", resource=None), "Degraded", "spec.models"),
    "held back": (
        told(rollout=deployed("DeploymentPaused", paused=True, updatedReplicas=0)),
        "Degraded",
        "kubectl rollout resume",
    ),
    "paused": (told(resource=resource(paused=True)), "Suspended", "paused"),
    "paused and broken": (
        told(resource=resource(paused=True), rollout=deployed(**BROKEN), trouble=CRASH),
        "Degraded",
        "exits with code 1",
    ),
    "no conditions": (
        {"metadata": {"generation": 2}, "spec": {}, "status": {"observedGeneration": 2}},
        "Progressing",
        "has not said Ready",
    ),
}


@pytest.mark.parametrize("state", STATES)
def test_health(state: str) -> None:
    body, health_status, message = STATES[state]

    assert judged(body)[0] == health_status
    assert message in judged(body)[1]


@pytest.mark.parametrize("credentials", [None, MISSING], ids=["no gap", "no Secret"])
@pytest.mark.parametrize("found", [{}, {"trouble": CRASH}], ids=["serving", "crashing"])
@pytest.mark.parametrize("reason", ["NewReplicaSetAvailable", "ProgressDeadlineExceeded"])
def test_argo_cd_is_never_stuck_in_progressing(reason: str, found: dict[str, Any], credentials: Problem | None) -> None:
    """Once the rollout is over, by its success or its deadline, it is said how it stands."""
    pods = BROKEN if found else {}
    body = told(rollout=deployed(reason, **pods), credentials=credentials, **found)

    assert judged(body)[0] == ("Degraded" if found or credentials else "Healthy")


def judged(body: dict[str, Any]) -> tuple[str, str]:
    """Return what Argo CD shows, and the sentence beside it."""
    lua = LuaRuntime()
    lua.globals().obj = lua.table_from(body, recursive=True)
    health = lua.execute(SCRIPT.read_text())
    return health.status, health.message
