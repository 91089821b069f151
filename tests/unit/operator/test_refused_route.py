"""An Ingress or an HTTPRoute that cannot be written: RouteReady tells of it, and all else is done and told at once."""

from typing import Any
from unittest.mock import AsyncMock

import pytest
from t2i_operator.known.identity import Id, identify
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
from t2i_operator.naming import FIELD_MANAGER
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS

from tests.unit.operator.passes import KEY, SERVES, Parts
from tests.unit.operator.resources import UNOBSERVED
from tests.unit.operator.test_unread import DEPLOYED, PASSING, ROUTED

WEBHOOK = 'Internal error occurred: failed calling webhook "validate.nginx.ingress.kubernetes.io": connection refused'
UNREACHABLE = ApiError(500, "InternalError", WEBHOOK)
CLAIMED = 'host "images.example.com" and path "/" is already defined in ingress studio/older'
DENIED = [
    ApiError(
        status, "Denied", f'admission webhook "validate.nginx.ingress.kubernetes.io" denied the request: {CLAIMED}'
    )
    for status in (400, 422)
]
INWARDS: dict[Kind, Object] = {INGRESS: {"ingress": {"host": "images.example.com"}}, HTTP_ROUTE: ROUTED}
OVERVIEW = Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-dashboard-overview")
OBSERVED: Object = {"monitoring": {**UNOBSERVED, "dashboards": {"mode": "Managed"}}}
STALE: Object = {"ingress": {"host": "older.example.com"}}


class Refusing:
    """Has a webhook look at what is written of these objects."""

    def __init__(self, parts: Parts, *refused: Id) -> None:
        self.refused, self.error = refused, UNREACHABLE
        self._apply = parts.cluster.apply

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        if identify(body) in self.refused:
            raise ApiError(self.error.status, self.error.reason, self.error.message)
        return await self._apply(kind, body, manager=manager, dry_run=dry_run)


def refusing(monkeypatch: pytest.MonkeyPatch, parts: Parts, kind: Kind, error: ApiError) -> Refusing:
    refusing = Refusing(parts, Id(kind, *KEY))
    refusing.error = error
    monkeypatch.setattr(parts.cluster, "apply", refusing.apply)
    return refusing


@pytest.mark.parametrize("kind", INWARDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("error", [UNREACHABLE, *PASSING[1:]], ids=lambda error: str(error.status))
async def test_what_may_pass_is_waited_for_by_its_condition_alone(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, error: ApiError
) -> None:
    parts = Parts()
    webhook = refusing(monkeypatch, parts, kind, error)
    parts.edit(**INWARDS[kind])
    said = await parts.look(error)
    assert {said[name].status for name in ("Ready", "Accepted", "Available", "Progressing")} == {"True"}
    assert said["RouteReady"][1:3] == ("Unknown", "Pending")
    assert said["Reconciling"][1:3] == ("True", "ApplyFailed")
    assert said["Stalled"].status == "False"

    parts.now = GRACE_SECONDS - 1
    parts.say(DEPLOYED, {**SERVES, "availableReplicas": 0, "conditions": []})
    said = await parts.look(error)
    assert (said["Available"].status, said["RouteReady"].reason) == ("False", "Pending")

    parts.now = GRACE_SECONDS
    parts.say(DEPLOYED, SERVES)
    said = await parts.look(error)
    assert said["Ready"].status == "True"
    assert said["RouteReady"][1:3] == ("False", "ApplyFailed")
    assert error.message in said["RouteReady"].message
    assert str(Id(kind, *KEY)) in said["RouteReady"].message

    webhook.refused = ()
    said = await parts.look()
    assert Id(kind, *KEY) in parts.cluster.live
    assert "ApplyFailed" not in (said["RouteReady"].reason, said["Reconciling"].reason)


@pytest.mark.parametrize("error", DENIED, ids=lambda error: str(error.status))
@pytest.mark.parametrize("before", [{}, STALE], ids=["new", "edited"])
async def test_a_refusal_for_good_is_told_at_once_and_lowers_nothing_else(
    monkeypatch: pytest.MonkeyPatch, error: ApiError, before: Any
) -> None:
    parts = Parts(**before)
    await parts.look()
    refusing(monkeypatch, parts, INGRESS, error)
    parts.cluster.written.clear()
    parts.edit(**INWARDS[INGRESS], **OBSERVED, logging={"level": "DEBUG"})
    said = await parts.look(error)
    assert said["RouteReady"][1:3] == ("False", "ApplyFailed")
    assert CLAIMED in said["RouteReady"].message
    assert {said[name].status for name in ("Ready", "Accepted", "Progressing")} == {"True"}
    assert said["Stalled"][1:] == ("True", *said["RouteReady"][2:])
    assert said["Reconciling"][1:3] == ("False", "ApplyFailed")
    assert {DEPLOYED, OVERVIEW} <= set(parts.cluster.written)


async def test_the_way_in_that_works_stays_while_the_next_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts(**INWARDS[INGRESS])
    await parts.look()
    refusing(monkeypatch, parts, HTTP_ROUTE, DENIED[0])
    parts.edit(ingress=None, **ROUTED)
    assert (await parts.look(DENIED[0]))["RouteReady"].reason == "ApplyFailed"
    assert Id(INGRESS, *KEY) in parts.cluster.live


async def test_an_ingress_of_somebody_else_is_a_conflict_of_the_spec() -> None:
    parts = Parts()
    theirs: Object = {
        "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "theirs", "resourceVersion": "1"}
    }
    parts.cluster.live[Id(INGRESS, *KEY)] = theirs
    parts.edit(**INWARDS[INGRESS], networkPolicy={"mode": "Managed"})
    said = await parts.look()
    assert said["Accepted"][1:3] == ("False", "Conflict")
    assert said["RouteReady"].reason != "Conflict"
    assert Id(NETWORK_POLICY, *KEY) in parts.cluster.live


async def test_an_autoscaler_that_is_switched_off_goes_and_does_not_fight_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts, autoscaler = Parts(replicas=None, autoscaling={"maxReplicas": 9}), Id(AUTOSCALER, *KEY)
    await parts.look()
    refusing(monkeypatch, parts, INGRESS, DENIED[0])
    parts.edit(**INWARDS[INGRESS])
    await parts.look(DENIED[0])
    assert autoscaler in parts.cluster.live

    parts.edit(autoscaling=None)
    await parts.look(DENIED[0])
    assert "replicas" in parts.cluster.live[DEPLOYED]["spec"]
    assert autoscaler not in parts.cluster.live
    assert parts.outcome.deleted == [autoscaler]


RULED: Object = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}


@pytest.mark.parametrize(("error", "goes"), [(UNREACHABLE, True), (PASSING[2], False)], ids=["webhook", "server"])
async def test_what_is_not_wanted_waits_for_no_rule_but_for_a_server_that_bids_to_stop(
    monkeypatch: pytest.MonkeyPatch, error: ApiError, *, goes: bool
) -> None:
    policy, rule = Id(NETWORK_POLICY, *KEY), Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
    parts = Parts(networkPolicy={"mode": "Managed"})
    parts.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await parts.look()
    refusing(monkeypatch, parts, PROMETHEUS_RULE, error).refused = (rule,)
    parts.edit(networkPolicy={"mode": "Disabled"}, **RULED)
    await parts.look(error)
    assert (policy in parts.cluster.live) is not goes
