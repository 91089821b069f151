"""What goes by nobody's wish to harm: switched off beside what stays unsettled, or collected with an older resource."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, INGRESS, NETWORK_POLICY, POD_DISRUPTION_BUDGET, RESOURCE, SERVICE, Kind

from tests.unit.operator.harness import KEY, Harness
from tests.unit.operator.refusals import refusing

INWARDS = Id(INGRESS, *KEY)
SWITCHES = {
    NETWORK_POLICY: ({"networkPolicy": {"mode": "Managed"}}, {"networkPolicy": {"mode": "Disabled"}}),
    POD_DISRUPTION_BUDGET: ({"replicas": 2}, {"replicas": 1}),
}


async def passed(harness: Harness, **wanted: object) -> Outcome:
    harness.edit(**wanted)
    await harness.look()
    return harness.outcome


async def beside_a_kept_ingress() -> Harness:
    """Return a resource whose old way in stays, because nobody accepts the new one."""
    harness = Harness(ingress={"host": "images.example.com"})
    outcome = await passed(harness, ingress=None, httpRoute={"parentRefs": [{"name": "public"}]})
    assert outcome.old_routes == [INWARDS]
    return harness


@pytest.mark.parametrize("kind", SWITCHES, ids=lambda kind: kind.name)
async def test_what_was_switched_off_and_on_was_deleted_by_nobody(kind: Kind) -> None:
    harness, identity, (on, off) = await beside_a_kept_ingress(), Id(kind, *KEY), SWITCHES[kind]
    for _ in range(5):
        outcome = await passed(harness, **on)
        assert (outcome.created, outcome.repaired, outcome.faults) == ([identity], [], [])
        assert (await passed(harness, **off)).deleted == [identity]


async def test_what_somebody_deletes_meanwhile_is_repaired() -> None:
    harness, identity = await beside_a_kept_ingress(), Id(NETWORK_POLICY, *KEY)
    await passed(harness, networkPolicy={"mode": "Managed"})
    del harness.cluster.live[identity]
    harness.cache.children.drop(identity)
    assert (await passed(harness)).repaired == [Repair(identity, "it was deleted")]


async def test_what_goes_with_a_deleted_resource_of_the_name_was_deleted_by_nobody() -> None:
    harness, identity = Harness(), Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-config")
    await harness.look()
    for number in range(5):
        harness.metadata["uid"] = f"made-again-{number}"
        for collected in [each for each in harness.cluster.live if each.kind != RESOURCE]:
            del harness.cluster.live[collected]
            harness.cache.children.drop(collected)
        outcome = await passed(harness)
        assert identity in outcome.created
        assert (outcome.repaired, outcome.faults) == ([], [])


async def test_what_a_pass_did_not_get_to_is_repaired_when_it_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    harness, identity = Harness(), Id(SERVICE, KEY.namespace, f"{KEY.name}-service")
    await harness.look()
    stop = ApiError(503, "ServiceUnavailable", "shutting down")
    webhook = refusing(monkeypatch, harness, CONFIG_MAP, stop)
    webhook.refused = (Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-config"),)
    harness.edit(models=[{"name": "other", "provider": "Sandbox"}])
    with pytest.raises(ApiError):
        await harness.reconciler.reconcile(KEY)
    assert harness.reporter.report_deeds.await_args.args[2].stopped

    webhook.refused = ()
    del harness.cluster.live[identity]
    harness.cache.children.drop(identity)
    await harness.look()
    assert harness.outcome.repaired == [Repair(identity, "it was deleted")]


async def test_what_somebody_else_had_and_gave_up_is_made_and_not_repaired() -> None:
    harness = Harness()
    theirs = {"name": INWARDS.name, "namespace": INWARDS.namespace, "uid": "theirs", "resourceVersion": "1"}
    harness.cluster.live[INWARDS] = {"metadata": theirs}
    outcome = await passed(harness, ingress={"host": "images.example.com"})
    assert [each.reason for each in outcome.faults] == ["Conflict"]

    del harness.cluster.live[INWARDS]
    await harness.look()
    assert (harness.outcome.created, harness.outcome.repaired) == ([INWARDS], [])
