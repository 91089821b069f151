"""What goes by nobody's wish to harm: switched off beside what stays unsettled, or collected with an older resource."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, INGRESS, NETWORK_POLICY, POD_DISRUPTION_BUDGET, RESOURCE, SERVICE, Kind

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.test_refused_route import refusing

INWARDS = Id(INGRESS, *KEY)
SWITCHES = {
    NETWORK_POLICY: ({"networkPolicy": {"mode": "Managed"}}, {"networkPolicy": {"mode": "Disabled"}}),
    POD_DISRUPTION_BUDGET: ({"replicas": 2}, {"replicas": 1}),
}


async def passed(parts: Parts, **wanted: object) -> Outcome:
    parts.edit(**wanted)
    await parts.look()
    return parts.outcome


async def beside_a_kept_ingress() -> Parts:
    """Return a resource whose old way in stays, because nobody accepts the new one."""
    parts = Parts(ingress={"host": "images.example.com"})
    outcome = await passed(parts, ingress=None, httpRoute={"parentRefs": [{"name": "public"}]})
    assert outcome.old_routes == [INWARDS]
    return parts


@pytest.mark.parametrize("kind", SWITCHES, ids=lambda kind: kind.name)
async def test_what_was_switched_off_and_on_was_deleted_by_nobody(kind: Kind) -> None:
    parts, identity, (on, off) = await beside_a_kept_ingress(), Id(kind, *KEY), SWITCHES[kind]
    for _ in range(5):
        outcome = await passed(parts, **on)
        assert (outcome.created, outcome.repaired, outcome.faults) == ([identity], [], [])
        assert (await passed(parts, **off)).deleted == [identity]


async def test_what_somebody_deletes_meanwhile_is_repaired() -> None:
    parts, identity = await beside_a_kept_ingress(), Id(NETWORK_POLICY, *KEY)
    await passed(parts, networkPolicy={"mode": "Managed"})
    del parts.cluster.live[identity]
    parts.cache.children.drop(identity)
    assert (await passed(parts)).repaired == [Repair(identity, "it was deleted")]


async def test_what_goes_with_a_deleted_resource_of_the_name_was_deleted_by_nobody() -> None:
    parts, identity = Parts(), Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-config")
    await parts.look()
    for number in range(5):
        parts.metadata["uid"] = f"made-again-{number}"
        for collected in [each for each in parts.cluster.live if each.kind != RESOURCE]:
            del parts.cluster.live[collected]
            parts.cache.children.drop(collected)
        outcome = await passed(parts)
        assert identity in outcome.created
        assert (outcome.repaired, outcome.faults) == ([], [])


async def test_what_a_pass_did_not_get_to_is_repaired_when_it_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, identity = Parts(), Id(SERVICE, KEY.namespace, f"{KEY.name}-service")
    await parts.look()
    stop = ApiError(503, "ServiceUnavailable", "shutting down")
    webhook = refusing(monkeypatch, parts, CONFIG_MAP, stop)
    webhook.refused = (Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-config"),)
    parts.edit(models=[{"name": "other", "provider": "Sandbox"}])
    with pytest.raises(ApiError):
        await parts.reconciler.reconcile(KEY)
    assert parts.reporter.report_deeds.await_args.args[2].stopped

    webhook.refused = ()
    del parts.cluster.live[identity]
    parts.cache.children.drop(identity)
    await parts.look()
    assert parts.outcome.repaired == [Repair(identity, "it was deleted")]


async def test_what_somebody_else_had_and_gave_up_is_made_and_not_repaired() -> None:
    parts = Parts()
    theirs = {"name": INWARDS.name, "namespace": INWARDS.namespace, "uid": "theirs", "resourceVersion": "1"}
    parts.cluster.live[INWARDS] = {"metadata": theirs}
    outcome = await passed(parts, ingress={"host": "images.example.com"})
    assert [each.reason for each in outcome.faults] == ["Conflict"]

    del parts.cluster.live[INWARDS]
    await parts.look()
    assert (parts.outcome.created, parts.outcome.repaired) == ([INWARDS], [])
