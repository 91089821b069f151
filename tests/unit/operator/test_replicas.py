"""How many pods run where the spec does not say it: as many as ran when it last did, or an autoscaler did."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, POD_DISRUPTION_BUDGET
from t2i_operator.naming import REPLICAS_ANNOTATION

from tests.unit.operator.harness import KEY, Harness
from tests.unit.operator.resources import built

DEPLOYED = Id(DEPLOYMENT, *KEY)
AUTOSCALED = {"minReplicas": 5, "maxReplicas": 9}


def replicas(harness: Harness) -> Any:
    return harness.cluster.live[DEPLOYED]["spec"].get("replicas")


def scale(harness: Harness, number: int) -> None:
    """Set a number as others do: on the Deployment itself."""
    live = harness.cluster.live[DEPLOYED]
    changed = harness.cluster.store(DEPLOYED, {**live, "spec": {**live["spec"], "replicas": number}})
    harness.cache.children.observe(DEPLOYMENT, changed)


@pytest.fixture
async def off() -> Harness:
    """Return a service whose autoscaler asked for seven pods and was switched off."""
    harness = Harness(replicas=None, autoscaling=AUTOSCALED)
    assert REPLICAS_ANNOTATION not in harness.cluster.live[DEPLOYED]["metadata"]["annotations"]
    scale(harness, 7)
    harness.edit(autoscaling=None)
    await harness.look()
    return harness


async def test_switching_an_autoscaler_off_changes_no_number(off: Harness) -> None:
    assert replicas(off) == 7
    assert Id(AUTOSCALER, *KEY) not in off.cluster.live
    assert Id(POD_DISRUPTION_BUDGET, *KEY) in off.cluster.live


@pytest.mark.parametrize("number", [0, 1, 9])
async def test_what_somebody_sets_by_hand_is_put_back(off: Harness, number: int) -> None:
    scale(off, number)
    await off.look()
    assert replicas(off) == 7


async def test_a_number_that_is_stated_counts_at_once_and_stays_when_it_is_taken_away(off: Harness) -> None:
    off.edit(replicas=2)
    await off.look()
    assert replicas(off) == 2
    assert REPLICAS_ANNOTATION not in off.cluster.live[DEPLOYED]["metadata"]["annotations"]
    off.edit(replicas=None)
    await off.look()
    assert replicas(off) == 2


async def test_a_stated_number_counts_when_an_autoscaler_is_switched_off() -> None:
    harness = Harness(replicas=1, autoscaling=AUTOSCALED)
    scale(harness, 7)
    harness.edit(autoscaling=None)
    await harness.look()
    assert replicas(harness) == 1


async def test_a_note_that_is_no_number_is_none(off: Harness) -> None:
    live = off.cluster.live[DEPLOYED]
    live["metadata"]["annotations"][REPLICAS_ANNOTATION] = "9" * 5000
    off.edit(logging={"level": "DEBUG"})
    await off.look()
    assert replicas(off) == 7


def note(harness: Harness, text: str) -> None:
    """Write what somebody else writes over the note, as a rollback does that brings an older ReplicaSet's back."""
    metadata = harness.cluster.live[DEPLOYED]["metadata"]
    metadata["annotations"][REPLICAS_ANNOTATION] = text
    metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
    del metadata["managedFields"][0]["fieldsV1"]["f:metadata"]["f:annotations"][f"f:{REPLICAS_ANNOTATION}"]
    harness.cache.children.observe(DEPLOYMENT, harness.cluster.live[DEPLOYED])


@pytest.mark.parametrize("text", ["3", "999"])
async def test_a_note_that_somebody_else_wrote_is_put_back_and_not_obeyed(off: Harness, text: str) -> None:
    note(off, text)
    await off.look()
    assert replicas(off) == 7
    assert off.cluster.live[DEPLOYED]["metadata"]["annotations"][REPLICAS_ANNOTATION] == "7"


async def test_no_more_pods_are_kept_than_a_spec_may_ask_for(off: Harness) -> None:
    off.cluster.live[DEPLOYED]["metadata"]["annotations"][REPLICAS_ANNOTATION] = "9999"
    scale(off, 9999)
    await off.look()
    assert replicas(off) == 1000


def test_there_is_one_pod_at_first_and_where_none_was_kept() -> None:
    made = built(DEPLOYMENT)
    assert made is not None
    assert (made["spec"]["replicas"], made["metadata"]["annotations"][REPLICAS_ANNOTATION]) == (1, "1")
