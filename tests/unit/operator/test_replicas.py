"""How many pods run where the spec does not say it: as many as ran when it last did, or an autoscaler did."""

from typing import Any

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, POD_DISRUPTION_BUDGET
from t2i_operator.naming import REPLICAS_ANNOTATION

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.resources import built

DEPLOYED = Id(DEPLOYMENT, *KEY)
AUTOSCALED = {"minReplicas": 5, "maxReplicas": 9}


def replicas(parts: Parts) -> Any:
    return parts.cluster.live[DEPLOYED]["spec"].get("replicas")


def scale(parts: Parts, number: int) -> None:
    """Set a number as others do: on the Deployment itself."""
    live = parts.cluster.live[DEPLOYED]
    changed = parts.cluster.store(DEPLOYED, {**live, "spec": {**live["spec"], "replicas": number}})
    parts.cache.children.observe(DEPLOYMENT, changed)


@pytest.fixture
async def off() -> Parts:
    """Return a service whose autoscaler asked for seven pods and was switched off."""
    parts = Parts(replicas=None, autoscaling=AUTOSCALED)
    assert REPLICAS_ANNOTATION not in parts.cluster.live[DEPLOYED]["metadata"]["annotations"]
    scale(parts, 7)
    parts.edit(autoscaling=None)
    await parts.look()
    return parts


async def test_switching_an_autoscaler_off_changes_no_number(off: Parts) -> None:
    assert replicas(off) == 7
    assert Id(AUTOSCALER, *KEY) not in off.cluster.live
    assert Id(POD_DISRUPTION_BUDGET, *KEY) in off.cluster.live


@pytest.mark.parametrize("number", [0, 1, 9])
async def test_what_somebody_sets_by_hand_is_put_back(off: Parts, number: int) -> None:
    scale(off, number)
    await off.look()
    assert replicas(off) == 7


async def test_a_number_that_is_stated_counts_at_once_and_stays_when_it_is_taken_away(off: Parts) -> None:
    off.edit(replicas=2)
    await off.look()
    assert replicas(off) == 2
    assert REPLICAS_ANNOTATION not in off.cluster.live[DEPLOYED]["metadata"]["annotations"]
    off.edit(replicas=None)
    await off.look()
    assert replicas(off) == 2


async def test_a_stated_number_counts_when_an_autoscaler_is_switched_off() -> None:
    parts = Parts(replicas=1, autoscaling=AUTOSCALED)
    scale(parts, 7)
    parts.edit(autoscaling=None)
    await parts.look()
    assert replicas(parts) == 1


async def test_a_note_that_is_no_number_is_none(off: Parts) -> None:
    live = off.cluster.live[DEPLOYED]
    live["metadata"]["annotations"][REPLICAS_ANNOTATION] = "9" * 5000
    off.edit(logging={"level": "DEBUG"})
    await off.look()
    assert replicas(off) == 7


def note(parts: Parts, text: str) -> None:
    """Write what somebody else writes over the note, as a rollback does that brings an older ReplicaSet's back."""
    metadata = parts.cluster.live[DEPLOYED]["metadata"]
    metadata["annotations"][REPLICAS_ANNOTATION] = text
    metadata["resourceVersion"] = str(int(metadata["resourceVersion"]) + 1)
    del metadata["managedFields"][0]["fieldsV1"]["f:metadata"]["f:annotations"][f"f:{REPLICAS_ANNOTATION}"]
    parts.cache.children.observe(DEPLOYMENT, parts.cluster.live[DEPLOYED])


@pytest.mark.parametrize("text", ["3", "999"])
async def test_a_note_that_somebody_else_wrote_is_put_back_and_not_obeyed(off: Parts, text: str) -> None:
    note(off, text)
    await off.look()
    assert replicas(off) == 7
    assert off.cluster.live[DEPLOYED]["metadata"]["annotations"][REPLICAS_ANNOTATION] == "7"


async def test_no_more_pods_are_kept_than_a_spec_may_ask_for(off: Parts) -> None:
    off.cluster.live[DEPLOYED]["metadata"]["annotations"][REPLICAS_ANNOTATION] = "9999"
    scale(off, 9999)
    await off.look()
    assert replicas(off) == 1000


def test_there_is_one_pod_at_first_and_where_none_was_kept() -> None:
    made = built(DEPLOYMENT)
    assert made is not None
    assert (made["spec"]["replicas"], made["metadata"]["annotations"][REPLICAS_ANNOTATION]) == (1, "1")
