"""An Ingress or an HTTPRoute that cannot be written: RouteReady tells of it, and all else is done and told at once."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    Kind,
    Object,
)
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS
from t2i_operator.status.monitored import monitored

from tests.unit.operator.harness import DEPLOYED, KEY, ROUTED, SERVES, Harness
from tests.unit.operator.refusals import CLAIMED, DENIED, INWARDS, READ_ERRORS, STALE, UNREACHABLE, refusing
from tests.unit.operator.resources import UNOBSERVED, resource

OVERVIEW = Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-dashboard-overview")
OBSERVED: Object = {"monitoring": {**UNOBSERVED, "dashboards": {"mode": "Managed"}}}


@pytest.mark.parametrize("kind", INWARDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("error", [UNREACHABLE, *READ_ERRORS[1:]], ids=lambda error: str(error.status))
async def test_what_may_pass_is_waited_for_by_its_condition_alone(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, error: ApiError
) -> None:
    harness = Harness()
    webhook = refusing(monkeypatch, harness, kind, error)
    harness.edit(**INWARDS[kind])
    said = await harness.look(error)
    assert {said[name].status for name in ("Ready", "Accepted", "Available", "Progressing")} == {"True"}
    assert said["RouteReady"][1:3] == ("Unknown", "Pending")
    assert said["Reconciling"][1:3] == ("True", "ApplyFailed")
    assert said["Stalled"].status == "False"

    harness.now = GRACE_SECONDS - 1
    harness.say(DEPLOYED, {**SERVES, "availableReplicas": 0, "conditions": []})
    said = await harness.look(error)
    assert (said["Available"].status, said["RouteReady"].reason) == ("False", "Pending")

    harness.now = GRACE_SECONDS
    harness.say(DEPLOYED, SERVES)
    said = await harness.look(error)
    assert said["Ready"].status == "True"
    assert said["RouteReady"][1:3] == ("False", "ApplyFailed")
    assert error.message in said["RouteReady"].message
    assert str(Id(kind, *KEY)) in said["RouteReady"].message

    webhook.refused = ()
    said = await harness.look()
    assert Id(kind, *KEY) in harness.cluster.live
    assert "ApplyFailed" not in (said["RouteReady"].reason, said["Reconciling"].reason)


@pytest.mark.parametrize("error", DENIED, ids=lambda error: str(error.status))
@pytest.mark.parametrize("before", [{}, STALE], ids=["new", "edited"])
async def test_a_refusal_for_good_is_told_at_once_and_lowers_nothing_else(
    monkeypatch: pytest.MonkeyPatch, error: ApiError, before: Any
) -> None:
    harness = Harness(**before)
    await harness.look()
    refusing(monkeypatch, harness, INGRESS, error)
    harness.cluster.written.clear()
    harness.edit(**INWARDS[INGRESS], **OBSERVED, logging={"level": "DEBUG"})
    said = await harness.look(error)
    assert said["RouteReady"][1:3] == ("False", "ApplyFailed")
    assert CLAIMED in said["RouteReady"].message
    assert {said[name].status for name in ("Ready", "Accepted", "Progressing")} == {"True"}
    assert said["Stalled"][1:] == ("True", *said["RouteReady"][2:])
    assert said["Reconciling"][1:3] == ("False", "ApplyFailed")
    assert {DEPLOYED, OVERVIEW} <= set(harness.cluster.written)


async def test_the_way_in_that_works_stays_while_the_next_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(**INWARDS[INGRESS])
    await harness.look()
    refusing(monkeypatch, harness, HTTP_ROUTE, DENIED[0])
    harness.edit(ingress=None, **ROUTED)
    assert (await harness.look(DENIED[0]))["RouteReady"].reason == "ApplyFailed"
    assert Id(INGRESS, *KEY) in harness.cluster.live


async def test_an_ingress_of_somebody_else_is_a_conflict_of_the_spec() -> None:
    harness = Harness()
    theirs: Object = {
        "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "theirs", "resourceVersion": "1"}
    }
    harness.cluster.live[Id(INGRESS, *KEY)] = theirs
    harness.edit(**INWARDS[INGRESS], networkPolicy={"mode": "Managed"})
    said = await harness.look()
    assert said["Accepted"][1:3] == ("False", "Conflict")
    assert said["RouteReady"].reason != "Conflict"
    assert Id(NETWORK_POLICY, *KEY) in harness.cluster.live


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(INGRESS, INWARDS[INGRESS]), (NETWORK_POLICY, {"networkPolicy": {"mode": "Managed"}})],
    ids=["the way in", "what serves"],
)
async def test_an_autoscaler_that_is_switched_off_goes_and_does_not_fight_meanwhile(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, wanted: Any
) -> None:
    harness, autoscaler = Harness(replicas=None, autoscaling={"maxReplicas": 9}), Id(AUTOSCALER, *KEY)
    await harness.look()
    refusing(monkeypatch, harness, kind, DENIED[0])
    harness.edit(**wanted)
    await harness.look(DENIED[0])
    assert autoscaler in harness.cluster.live

    harness.edit(autoscaling=None)
    await harness.look(DENIED[0])
    assert "replicas" in harness.cluster.live[DEPLOYED]["spec"]
    assert autoscaler not in harness.cluster.live
    assert harness.outcome.deleted == [autoscaler]


RULED: Object = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}


async def test_what_is_switched_off_goes_while_the_way_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, rule = Id(NETWORK_POLICY, *KEY), Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
    harness = Harness(networkPolicy={"mode": "Managed"}, **RULED)
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    refusing(monkeypatch, harness, INGRESS, DENIED[0])
    harness.edit(**INWARDS[INGRESS], networkPolicy={"mode": "Disabled"}, monitoring=UNOBSERVED)
    said = await harness.look(DENIED[0])
    assert not {policy, rule} & harness.cluster.live.keys()
    assert said["AlertsReady"][1:3] == ("True", "Disabled")
    assert said["RouteReady"].reason == "ApplyFailed"


@pytest.mark.parametrize("paused", [True, False])
async def test_what_is_switched_off_and_still_there_is_named(monkeypatch: pytest.MonkeyPatch, *, paused: bool) -> None:
    policy, rule = Id(NETWORK_POLICY, *KEY), Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
    harness = Harness(**RULED)
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    refusing(monkeypatch, harness, NETWORK_POLICY, DENIED[0])
    harness.edit(networkPolicy={"mode": "Disabled" if paused else "Managed"}, monitoring=UNOBSERVED, paused=paused)
    said = await harness.look(None if paused else DENIED[0])
    assert policy not in harness.cluster.live
    assert said["AlertsReady"][1:3] == ("Unknown", "Pending")
    assert f"still there: {rule}; it goes once" in said["AlertsReady"].message

    monkeypatch.undo()
    harness.edit(paused=False)
    assert (await harness.look())["AlertsReady"][1:3] == ("True", "Disabled")


async def test_what_has_changed_since_it_was_seen_waits_for_another_look_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = Harness(**RULED)
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    monkeypatch.setattr(harness.cluster, "delete", AsyncMock(side_effect=ApiError(409, "Conflict", "it has changed")))
    harness.edit(monitoring=UNOBSERVED)
    said = await harness.look()
    assert harness.outcome.waiting.endswith("is looked at again before it goes")
    assert said["AlertsReady"].message.endswith(f"{KEY.name}-alerts; {harness.outcome.waiting}")


def test_what_a_late_event_shows_once_more_is_given_no_reason() -> None:
    rule = Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
    said = monitored(Outcome(generation=1, resource=resource(), objects=[rule]))
    assert said["AlertsReady"].message.endswith(f"still there: {rule}")


@pytest.mark.parametrize(("error", "goes"), [(UNREACHABLE, True), (READ_ERRORS[2], False)], ids=["webhook", "server"])
async def test_what_is_not_wanted_waits_for_no_rule_but_for_a_server_that_bids_to_stop(
    monkeypatch: pytest.MonkeyPatch, error: ApiError, *, goes: bool
) -> None:
    policy, rule = Id(NETWORK_POLICY, *KEY), Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
    harness = Harness(networkPolicy={"mode": "Managed"})
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    refusing(monkeypatch, harness, PROMETHEUS_RULE, error).refused = (rule,)
    harness.edit(networkPolicy={"mode": "Disabled"}, **RULED)
    await harness.look(error)
    assert (policy in harness.cluster.live) is not goes
