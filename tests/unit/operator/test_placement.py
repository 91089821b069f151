"""What a pass lists as the resource's, and what it takes away, where some of its objects are not in their place."""

import copy

import pytest
from t2i_operator.known.contest import LIMIT
from t2i_operator.known.faults import CONTESTED
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, INGRESS, Object

from tests.unit.operator.harness import DEPLOYED, KEY, Harness
from tests.unit.operator.refusals import DENIED, INWARDS, STALE, refusing

WAY_IN, SCALER = Id(INGRESS, *KEY), Id(AUTOSCALER, *KEY)
THEIRS: Object = {
    "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "theirs", "resourceVersion": "1"},
}


async def test_what_is_somebody_else_s_is_not_listed() -> None:
    harness = Harness()
    harness.cluster.live[WAY_IN] = THEIRS
    harness.edit(**INWARDS[INGRESS])
    await harness.look()
    assert WAY_IN not in harness.outcome.objects
    assert DEPLOYED in harness.outcome.objects


@pytest.mark.parametrize("before", [{}, STALE], ids=["never made", "made before"])
async def test_what_is_refused_is_listed_where_it_is_there(monkeypatch: pytest.MonkeyPatch, before: Object) -> None:
    harness = Harness(**before)
    await harness.look()
    refusing(monkeypatch, harness, INGRESS, DENIED[0])
    harness.edit(**INWARDS[INGRESS])
    await harness.look(DENIED[0])
    assert (WAY_IN in harness.outcome.objects) is bool(before)


async def test_what_waits_for_an_object_that_somebody_keeps_deleting_is_not_taken_away() -> None:
    harness = Harness(autoscaling={"maxReplicas": 4})
    await harness.look()
    for _ in range(LIMIT + 1):
        del harness.cluster.live[DEPLOYED]
        harness.cache.children.drop(DEPLOYED)
        await harness.look()
    assert [each.reason for each in harness.outcome.faults] == [CONTESTED]
    assert SCALER in harness.cluster.live
    assert SCALER in harness.outcome.objects


async def test_who_is_left_in_possession_by_another_operator_says_so_though_nothing_is_left_to_write() -> None:
    harness = Harness()
    await harness.look()
    for _ in range(LIMIT - 1):
        theirs = copy.deepcopy(harness.cluster.live[DEPLOYED])
        theirs["spec"]["template"]["spec"]["containers"][0]["image"] = "service:of-another-version"
        harness.cache.children.observe(DEPLOYMENT, harness.cluster.store(DEPLOYED, theirs))
        await harness.look()
    written = len(harness.cluster.written)
    found = await harness.look()
    assert (found["Stalled"].reason, len(harness.cluster.written)) == (CONTESTED, written)
