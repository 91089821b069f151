"""Who waits for Ready is told when nothing is under way that would end the wait."""

import math
import time
from typing import Any

import pytest
from t2i_operator.known.faults import APPLY_FAILED, READY
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.pods import Trouble
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, SERVICE, Kind, Object
from t2i_operator.status.conditions import Condition, conditions

from tests.unit.operator.harness import KEY, SERVES, Harness
from tests.unit.operator.refusals import FINAL_ERRORS, TRANSIENT_ERRORS
from tests.unit.operator.resources import deployed, resource

CRASH = Trouble("0", "CrashLoopBackOff", "pod pictures-b: container main exits with code 1; see its logs")
UNPLACED = Trouble("0", "Unschedulable", "pod pictures-b: 0/3 nodes are available")
BROKEN: Object = {"readyReplicas": 0, "availableReplicas": 0}
NO_PODS: Object = {**BROKEN, "replicas": 0, "updatedReplicas": 0}
OLD_PODS: Object = {"updatedReplicas": 0}
QUOTA = [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]
RESUME = "kubectl rollout resume deployment/pictures -n studio"


def said(outcome: Outcome) -> dict[str, Condition]:
    return {each.type: each for each in conditions(outcome)}


def failed(kind: Kind, name: str, error: ApiError) -> Outcome:
    outcome = Outcome(generation=1, resource=resource(), rollout=deployed())
    outcome.failed(Id(kind, "studio", name), APPLY_FAILED, ApiError(error.status, error.reason, error.message))
    return outcome


@pytest.mark.parametrize("error", FINAL_ERRORS, ids=str)
def test_what_is_refused_for_good_waits_for_a_person(error: ApiError) -> None:
    found = said(failed(SERVICE, "pictures-service", error))
    assert found["Ready"][1:] == found["Progressing"][1:]
    assert found["Stalled"][1:3] == ("True", APPLY_FAILED)
    assert found["Stalled"].message == found["Progressing"].message
    assert found["Reconciling"][1:3] == ("False", APPLY_FAILED)


@pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=str)
def test_what_may_pass_waits_for_nobody(error: ApiError) -> None:
    found = said(failed(SERVICE, "pictures-service", error))
    assert (found["Stalled"].status, found["Reconciling"][1:3]) == ("False", ("True", APPLY_FAILED))


def test_what_only_observes_stalls_nothing() -> None:
    outcome = failed(CONFIG_MAP, "pictures-dashboard-overview", FINAL_ERRORS[1])
    assert [said(outcome)[each].status for each in ("Ready", "Stalled")] == ["True", "False"]

    outcome.failed(Id(SERVICE, "studio", "pictures-service"), APPLY_FAILED, ApiError(500, "", "leader changed"))
    assert [said(outcome)[each].status for each in ("Ready", "Stalled")] == ["False", "False"]


@pytest.mark.parametrize("error", [FINAL_ERRORS[1], TypeError("of ours")], ids=["refused", "a bug"])
def test_a_pass_that_is_cut_short_for_good_waits_for_a_person(error: Exception) -> None:
    outcome = Outcome(generation=1, resource=resource(), rollout=deployed(), failure="the sentence")
    outcome.cannot_judge([READY], error)
    sentence = "the sentence; fix that; it is retried from time to time"
    assert said(outcome)["Stalled"][1:] == ("True", APPLY_FAILED, sentence)


@pytest.mark.parametrize(
    ("seen", "trouble", "reconciling"),
    [
        (deployed(**BROKEN), CRASH, ("False", CRASH.reason, CRASH.message)),
        (deployed(**NO_PODS, conditions=QUOTA), None, ("False", "ReplicaFailure", "exceeded quota")),
        (deployed("ReplicaSetUpdated", **BROKEN), CRASH, ("True", CRASH.reason, CRASH.message)),
        (deployed("ReplicaSetUpdated", **BROKEN, updatedReplicas=1), CRASH, ("True", CRASH.reason, CRASH.message)),
        (deployed(**BROKEN, observedGeneration=2), CRASH, ("True", CRASH.reason, CRASH.message)),
        (deployed(**OLD_PODS), CRASH, ("True", CRASH.reason, CRASH.message)),
        (deployed(**BROKEN), None, ("True", "MinimumReplicasUnavailable", "0 of 2 pods serve")),
    ],
    ids=[
        "broken",
        "no pods may be made",
        "first rollout",
        "rollout",
        "edited this moment",
        "rolled back this moment",
        "pods begin",
    ],
)
def test_pods_that_break_after_their_rollout_are_not_waited_for(
    seen: Rollout, trouble: Trouble | None, reconciling: tuple[str, str, str]
) -> None:
    """The deadline of a rollout ends the wait for it, and there is none once it is complete."""
    found = said(Outcome(generation=1, resource=resource(), rollout=seen, trouble=trouble))
    assert found["Ready"].status == "False"
    assert found["Reconciling"][1:] == reconciling
    assert found["Stalled"].status == "False", "it may be mended by what it waits for"


@pytest.mark.parametrize("awaited", [1, 0], ids=["awaited", "no longer"])
def test_a_pod_that_an_autoscaler_may_find_a_node_for_is_waited_for(awaited: int) -> None:
    told = UNPLACED.reason, UNPLACED.message
    seen = deployed(readyReplicas=1, availableReplicas=1)
    found = said(Outcome(generation=1, resource=resource(), rollout=seen, trouble=UNPLACED, awaiting_node=awaited))
    assert found["Ready"][1:] == found["Progressing"][1:] == ("False", *told), "told at once either way"
    assert found["Reconciling"][1:] == (str(bool(awaited)), *told)
    assert found["Stalled"].status == "False"


@pytest.mark.parametrize("paused", [True, False], ids=["paused", "running"])
def test_a_rollout_that_somebody_paused_says_how_to_resume_it(*, paused: bool) -> None:
    seen = deployed("DeploymentPaused" if paused else "NewReplicaSetCreated", paused=paused, **OLD_PODS)
    found = said(Outcome(generation=1, resource=resource(), rollout=seen, trouble=CRASH))
    reason = "DeploymentPaused" if paused else CRASH.reason
    assert {found[each].reason for each in ("Ready", "Progressing", "Reconciling")} == {reason}
    assert (found["Available"].status, found["Stalled"].status) == ("True", str(paused))
    assert (RESUME in found["Progressing"].message) is (RESUME in found["Stalled"].message) is paused


@pytest.mark.parametrize(
    ("fields", "trouble", "reason"), [({}, None, "Ready"), (BROKEN, CRASH, CRASH.reason)], ids=["serving", "broken"]
)
def test_a_pause_that_holds_nothing_back_is_not_told_of(fields: Any, trouble: Trouble | None, reason: str) -> None:
    seen = deployed("DeploymentPaused", paused=True, **fields)
    found = said(Outcome(generation=1, resource=resource(), rollout=seen, trouble=trouble))
    assert (found["Ready"].reason, found["Stalled"].status) == (reason, "False")
    assert found["Reconciling"].status == "False"


@pytest.mark.parametrize("error", FINAL_ERRORS, ids=str)
def test_a_way_in_that_is_refused_for_good_waits_for_a_person_and_the_service_is_ready(error: ApiError) -> None:
    found = said(failed(INGRESS, "pictures", error))
    assert found["Ready"].holds
    assert found["Stalled"][1:3] == ("True", APPLY_FAILED)
    assert str(error) in found["Stalled"].message
    assert found["Reconciling"][1:3] == ("False", APPLY_FAILED)


@pytest.mark.parametrize("error", [TRANSIENT_ERRORS[0], None], ids=["may pass", "kept"])
def test_pods_that_break_are_not_waited_for_while_the_way_in_is(error: ApiError | None) -> None:
    outcome = failed(INGRESS, "pictures", error) if error else Outcome(generation=1, resource=resource())
    outcome.old_routes = [] if error else [Id(INGRESS, "studio", "pictures")]
    outcome.rollout, outcome.trouble = deployed(**BROKEN), CRASH
    assert said(outcome)["Reconciling"][1:] == ("False", CRASH.reason, CRASH.message)


BEGAN, OVER = "2026-01-01T12:00:00Z", 1767269400.0
AWAY = {"type": "Available", "status": "False", "lastTransitionTime": BEGAN}


def test_pods_that_are_not_ready_are_given_up_ten_minutes_after_the_first_was_missed() -> None:
    assert deployed(**BROKEN, conditions=[AWAY]).given_up_at == OVER
    assert deployed(conditions=[{**AWAY, "status": "True"}]).given_up_at == math.inf


@pytest.mark.parametrize(
    ("fields", "more", "stalled"),
    [
        (BROKEN, {}, "PodsNotReady"),
        (BROKEN, {"credentials": ("SecretMissing", "there is no Secret keys")}, "SecretMissing"),
        (BROKEN, {"trouble": CRASH}, None),
        (BROKEN, {"trouble": UNPLACED, "awaiting_node": 1}, "PodsNotReady"),
        (BROKEN, {"trouble": UNPLACED, "awaiting_node": 2}, None),
        (BROKEN, {"overdue": False}, None),
        (BROKEN, {"failure": "leader changed"}, None),
        ({**BROKEN, "reason": "ReplicaSetUpdated"}, {}, None),
        ({}, {}, None),
    ],
    ids=[
        "no reason",
        "no key",
        "a reason that may pass",
        "one awaits a node",
        "all await a node",
        "for a moment",
        "to be written",
        "rollout",
        "serving",
    ],
)
def test_pods_that_stay_unready_for_no_reason_wait_for_a_person(fields: Any, more: Any, stalled: str | None) -> None:
    found = said(Outcome(generation=1, resource=resource(), rollout=deployed(**fields), **{"overdue": True, **more}))
    assert (found["Stalled"].reason if found["Stalled"].holds else None) == stalled
    if stalled:
        assert found["Reconciling"][1:3] == ("False", stalled)
        assert not found["Ready"].holds


def test_a_pod_that_an_autoscaler_has_asked_for_stalls_no_service_that_is_ready() -> None:
    away: Object = {"readyReplicas": 1, "availableReplicas": 1}
    outcome = Outcome(generation=1, resource=resource(), rollout=deployed(**away), overdue=True)
    was = [{"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1}]
    found = {each.type: each for each in conditions(outcome, was)}
    assert (found["Ready"].reason, found["Stalled"].status) == ("Scaling", "False")


async def test_a_look_is_due_when_pods_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = OVER - 60
    monkeypatch.setattr(time, "time", lambda: now)
    harness = Harness()
    harness.reconciler._judgement._clock = lambda: now
    rolled_out = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}
    harness.say(Id(DEPLOYMENT, *KEY), {**SERVES, **BROKEN, "conditions": [rolled_out, AWAY]})
    assert await harness.reconciler.reconcile(KEY) == 60
    assert not said(harness.outcome)["Stalled"].holds
    now = OVER
    assert await harness.reconciler.reconcile(KEY) != 0
    assert said(harness.outcome)["Stalled"].reason == "PodsNotReady"
