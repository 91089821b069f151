"""How many pods are enough, and what is said while some of many are away, are asked for, or crash."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.known.pods import Trouble
from t2i_operator.known.rollout import Rollout, rollout
from t2i_operator.kube.kinds import DEPLOYMENT, POD_DISRUPTION_BUDGET, Object
from t2i_operator.status.conditions import Condition, conditions

from tests.unit.operator.resources import body, resource

WAS_READY: list[Object] = [
    {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 2}
]
CRASH = Trouble("0", "CrashLoopBackOff", "pod pictures-b: back-off 5m0s restarting failed container")


def pods(available: int, wanted: int, **others: Any) -> Rollout:
    """Return what a Deployment says whose pods are all of the newest template."""
    numbers = {"replicas": wanted, "updated": wanted, "ready": available, "observed": True, **others}
    return Rollout(wanted=wanted, available=available, **numbers)


def said(seen: Rollout, stored: list[Object], **fields: Any) -> dict[str, Condition]:
    wanted = resource(podDisruptionBudget=fields.pop("budget", {"mode": "Managed"}))
    outcome = Outcome(generation=2, resource=wanted, rollout=seen, **fields)
    return {each.type: each for each in conditions(outcome, stored)}


@pytest.mark.parametrize(
    ("available", "wanted", "budget", "enough"),
    [
        (0, 0, {}, True),
        (0, 1, {}, False),
        (1, 1, {}, True),
        (0, 2, {}, False),
        (1, 2, {}, True),
        (4, 5, {}, True),
        (3, 5, {}, False),
        (6, 8, {}, True),
        (5, 8, {}, False),
        (2, 4, {"maxUnavailable": 2}, True),
        (1, 4, {"maxUnavailable": 2}, False),
        (2, 5, {"maxUnavailable": "50%"}, True),
        (1, 5, {"maxUnavailable": "50%"}, False),
        (2, 6, {"minAvailable": 2}, True),
        (1, 6, {"minAvailable": 2}, False),
        (3, 5, {"minAvailable": "50%"}, True),
        (2, 5, {"minAvailable": "50%"}, False),
        (1, 5, {"maxUnavailable": "100%"}, True),
        (0, 5, {"maxUnavailable": "100%"}, False),
        (3, 4, {"minAvailable": 4}, True),
        (2, 4, {"mode": "Disabled", "maxUnavailable": 2}, False),
    ],
    ids=str,
)
def test_as_many_pods_are_enough_as_the_budget_leaves(
    available: int, wanted: int, budget: Object, *, enough: bool
) -> None:
    found = said(pods(available, wanted), WAS_READY, budget={"mode": "Managed", **budget})
    assert (found["Available"].status, found["Ready"].status) == (str(enough), str(enough))
    assert found["Available"].message == f"{available} of {wanted} pods serve"


def test_the_budget_that_is_made_lets_no_more_go_than_that() -> None:
    for wanted in range(2, 40):
        budget = body(POD_DISRUPTION_BUDGET, replicas=wanted)
        left = wanted - budget["maxUnavailable"]
        assert said(pods(left, wanted), WAS_READY)["Ready"].status == "True"


def test_what_the_deployment_s_own_word_is_for_one_of_six_lowers_nothing() -> None:
    numbers = {"replicas": 6, "updatedReplicas": 6, "readyReplicas": 5, "availableReplicas": 5}
    unavailable = {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}
    live = {
        "metadata": {"generation": 7},
        "spec": {"replicas": 6},
        "status": {**numbers, "observedGeneration": 7, "conditions": [unavailable]},
    }
    found = said(rollout(live), WAS_READY)
    assert (found["Available"].status, found["Ready"].status) == ("True", "True")
    assert found["Ready"].message == "5 of 6 pods serve"
    assert found["Reconciling"][1:3] == ("True", "Scaling"), "it is not all as it is wanted"
    live["metadata"]["generation"] = 8
    assert said(rollout(live), WAS_READY)["Ready"].status == "True", "an autoscaler asked for more this moment"


def test_a_spec_is_ready_when_all_of_its_pods_have_been() -> None:
    first_time = [{**WAS_READY[0], "observedGeneration": 1}]
    for stored in ([], first_time, [{**WAS_READY[0], "status": "False"}]):
        found = said(pods(1, 2), stored)
        assert (found["Available"].status, found["Ready"][1:3]) == ("True", ("False", "RollingOut"))


@pytest.mark.parametrize(
    ("seen", "fields"),
    [
        (pods(6, 6, replicas=7, updated=1), {}),
        (pods(6, 6, observed=False), {"updated": [Id(DEPLOYMENT, "studio", "pictures")]}),
        (pods(6, 6, observed=False), {"repaired": [Repair(Id(DEPLOYMENT, "studio", "pictures"), "spec.template")]}),
    ],
    ids=["old pods are left", "just written", "just repaired"],
)
def test_a_rollout_of_the_same_spec_is_not_ready_before_its_end(seen: Rollout, fields: dict[str, Any]) -> None:
    found = said(seen, WAS_READY, **fields)
    assert (found["Available"].status, found["Ready"][1:3]) == ("True", ("False", "RollingOut"))


@pytest.mark.parametrize("stored", [[], WAS_READY], ids=["rolled out", "was ready"])
def test_one_of_many_that_crashes_for_good_is_told_of(stored: list[Object]) -> None:
    found = said(pods(4, 5), stored, trouble=CRASH)
    assert found["Available"].status == "True"
    assert found["Progressing"][1:] == found["Ready"][1:] == ("False", CRASH.reason, CRASH.message)


def test_more_pods_than_are_wanted_are_no_fraction() -> None:
    assert said(pods(5, 4, replicas=5, updated=5), WAS_READY)["Ready"].message == "5 pods serve"
