"""What a pass lists as the resource's, and what it takes away, where some of its objects are not in their place."""

import pytest
from t2i_operator.known.contest import LIMIT
from t2i_operator.known.faults import CONTESTED
from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import AUTOSCALER, INGRESS, Object

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.test_refused_route import DENIED, INWARDS, STALE, refusing
from tests.unit.operator.test_unread import DEPLOYED

WAY_IN, SCALER = Id(INGRESS, *KEY), Id(AUTOSCALER, *KEY)
THEIRS: Object = {
    "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "theirs", "resourceVersion": "1"},
}


async def test_what_is_somebody_else_s_is_not_listed() -> None:
    parts = Parts()
    parts.cluster.live[WAY_IN] = THEIRS
    parts.edit(**INWARDS[INGRESS])
    await parts.look()
    assert WAY_IN not in parts.outcome.objects
    assert DEPLOYED in parts.outcome.objects


@pytest.mark.parametrize("before", [{}, STALE], ids=["never made", "made before"])
async def test_what_is_refused_is_listed_where_it_is_there(monkeypatch: pytest.MonkeyPatch, before: Object) -> None:
    parts = Parts(**before)
    await parts.look()
    refusing(monkeypatch, parts, INGRESS, DENIED[0])
    parts.edit(**INWARDS[INGRESS])
    await parts.look(DENIED[0])
    assert (WAY_IN in parts.outcome.objects) is bool(before)


async def test_what_waits_for_an_object_that_somebody_keeps_deleting_is_not_taken_away() -> None:
    parts = Parts(autoscaling={"maxReplicas": 4})
    await parts.look()
    for _ in range(LIMIT + 1):
        del parts.cluster.live[DEPLOYED]
        parts.cache.children.drop(DEPLOYED)
        await parts.look()
    assert [each.reason for each in parts.outcome.faults] == [CONTESTED]
    assert SCALER in parts.cluster.live
    assert SCALER in parts.outcome.objects
