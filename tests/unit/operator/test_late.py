"""A write that has no answer in time: whether one kind waits for its webhook, or the API server for itself."""

import asyncio
from unittest.mock import AsyncMock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from t2i_operator.known.identity import Id, identify
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.errors import unreachable
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
    Object,
)
from t2i_operator.naming import FIELD_MANAGER
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS
from t2i_operator.status.status import status

from tests.unit.operator.harness import DEPLOYED, KEY, Harness
from tests.unit.operator.resources import UNOBSERVED

HOOK = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": "theirs", "key": "url"}}}}
WATCHED: Object = {
    "monitoring": {
        **UNOBSERVED,
        "metrics": {"mode": "Managed"},
        "alerts": {"mode": "Managed", "receivers": [HOOK]},
        "dashboards": {"mode": "Managed"},
    }
}
RULE = Id(PROMETHEUS_RULE, KEY.namespace, f"{KEY.name}-alerts")
LATE = unreachable("PATCH", "/of/one", TimeoutError())


class Hanging:
    """Has a webhook hang that is asked about these kinds; `asked` is what was written of them in vain."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, harness: Harness, *kinds: Kind) -> None:
        self.kinds, self.error, self.asked = kinds, LATE, list[Id]()
        self._apply = harness.cluster.apply
        monkeypatch.setattr(harness.cluster, "apply", self.apply)

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        if kind in self.kinds:
            self.asked.append(identify(body))
            raise ApiError(self.error.status, self.error.reason, self.error.message)
        return await self._apply(kind, body, manager=manager, dry_run=dry_run)


async def steady() -> Harness:
    harness = Harness()
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    harness.cluster.written.clear()
    return harness


def dashboards(harness: Harness) -> int:
    return len([each for each in harness.cluster.written if each.name.startswith(f"{KEY.name}-dashboard-")])


@pytest.mark.parametrize(
    "error",
    [
        LATE,
        ApiError(504, "Timeout", "request did not complete within the allotted timeout"),
        ApiError(504, "Unknown", "<html>Gateway Time-out</html>"),
    ],
    ids=["no answer", "the server's own", "a proxy's"],
)
async def test_a_webhook_of_two_kinds_that_hangs_lets_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    harness = await steady()
    webhook = Hanging(monkeypatch, harness, PROMETHEUS_RULE, ALERTMANAGER_CONFIG)
    webhook.error = error
    harness.edit(**WATCHED, logging={"level": "DEBUG"})
    said = await harness.look(error)
    assert DEPLOYED in harness.cluster.written
    assert dashboards(harness) > 1
    assert {said[each].status for each in ("Ready", "MetricsReady", "DashboardsReady")} == {"True"}
    assert said["AlertsReady"][1:3] == ("Unknown", "Pending"), "it may pass"

    harness.now = GRACE_SECONDS
    said = await harness.look(error)
    assert said["Ready"].status == "True"
    assert said["AlertsReady"][1:3] == ("False", "ApplyFailed")
    assert f"{RULE}: {error.message}" in said["AlertsReady"].message


async def test_the_rest_of_a_kind_that_waits_is_not_tried_and_what_came_before_it_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness, policy = await steady(), Id(NETWORK_POLICY, *KEY)
    harness.edit(networkPolicy={"mode": "Managed"})
    await harness.look()
    webhook = Hanging(monkeypatch, harness, CONFIG_MAP)
    harness.edit(networkPolicy={"mode": "Disabled"}, **WATCHED)
    await harness.look(LATE)
    (first,) = webhook.asked
    others = [fault for fault in harness.outcome.faults if fault.identity != first]
    assert len(others) > 1
    assert {fault.condition for fault in others} == {"DashboardsReady"}
    assert all(f"was not tried: {first} had no answer" in fault.message for fault in others)
    assert RULE in harness.cluster.written
    assert policy not in harness.cluster.live, "what counts for another condition goes"

    harness.edit(monitoring={**WATCHED["monitoring"], "dashboards": {"mode": "Disabled"}})
    webhook.asked.clear()
    await harness.look()
    assert not webhook.asked


async def test_what_is_in_its_place_needs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = await steady()
    harness.edit(**WATCHED)
    await harness.look()
    Hanging(monkeypatch, harness, CONFIG_MAP)
    overview = Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-dashboard-overview")
    harness.say(overview, {})
    changed = {**harness.cluster.live[overview], "data": {}}
    harness.cache.children.observe(CONFIG_MAP, harness.cluster.store(overview, changed))
    await harness.look(LATE)
    assert [fault.identity for fault in harness.outcome.faults] == [overview]


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LATE, 3),
        (ApiError(504, "Unknown", "<html>"), 3),
        (ApiError(503, "ServiceUnavailable", "shutting down"), 1),
        (ApiError(429, "", "busy"), 1),
    ],
    ids=["late", "a proxy's", "503", "429"],
)
async def test_a_server_that_answers_nobody_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, error: ApiError, asked: int
) -> None:
    harness = await steady()
    kinds = (SERVICE_MONITOR, PROMETHEUS_RULE, ALERTMANAGER_CONFIG, CONFIG_MAP, DEPLOYMENT)
    server = Hanging(monkeypatch, harness, *kinds)
    server.error = error
    harness.edit(**WATCHED, logging={"level": "DEBUG"})
    with pytest.raises(ApiError):
        await harness.reconciler.reconcile(KEY)
    assert len(server.asked) == asked


TEMPLATE: Object = {"spec": {"priorityClassName": "other"}}


async def test_what_hangs_in_a_trial_is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = await steady()
    webhook = Hanging(monkeypatch, harness, DEPLOYMENT)
    jaeger: Object = {"tracing": {"mode": "Managed", "jaeger": {"podTemplate": TEMPLATE}}}
    harness.edit(podTemplate=TEMPLATE, monitoring={**UNOBSERVED, **jaeger})
    with pytest.raises(ApiError):
        await harness.reconciler.reconcile(KEY)
    assert len(webhook.asked) == 1
    harness.now = GRACE_SECONDS
    said = await harness.look(LATE)
    assert said["Ready"][1:3] == ("False", "ApplyFailed")
    assert said["Ready"].message.startswith(f"{DEPLOYED}: {LATE.message}")
    assert f"was not tried: {DEPLOYED} had no answer" in said["TracingReady"].message


async def test_the_service_is_said_to_answer_where_it_did_until_a_pass_came_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harness = await steady()
    server = Hanging(monkeypatch, harness, CONFIG_MAP)
    server.error = ApiError(503, "ServiceUnavailable", "shutting down")
    models = [{"name": "another", "provider": "Sandbox"}]
    harness.edit(service={"port": 90}, models=models)
    for harness.now in (0.0, GRACE_SECONDS):
        with pytest.raises(ApiError):
            await harness.reconciler.reconcile(KEY)
    assert harness.outcome.stopped
    before: Object = {"endpoint": "http://pictures-service.studio.svc:80"}
    assert status(KEY, harness.outcome, [], before, "now")["endpoint"] == before["endpoint"]

    server.kinds = ()
    await harness.look()
    assert status(KEY, harness.outcome, [], before, "now")["endpoint"] == "http://pictures-service.studio.svc:90"


def test_what_a_webhook_denies_says_nothing_of_the_server() -> None:
    """It may deny with any status."""
    denied = 'admission webhook "a.example.com" denied the request: busy'
    assert not ApiError(503, "ServiceUnavailable", denied).server_unavailable
    assert ApiError(503, "ServiceUnavailable", "shutting down").server_unavailable


async def test_an_answer_that_does_not_come_is_late_and_a_server_that_is_not_there_is_not() -> None:
    over = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await over.wait()
        return web.json_response({})

    app = web.Application()
    app.router.add_patch("/{path:.*}", hang)
    body: Object = {"metadata": {"name": "a", "namespace": "n"}}
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        cluster = Cluster(session, time_left=lambda: 0.1)
        with pytest.raises(ApiError) as late:
            await cluster.apply(CONFIG_MAP, body)
        over.set()
        await server.close()
        with pytest.raises(ApiError) as gone:
            await cluster.apply(CONFIG_MAP, body)
    assert (late.value.timed_out, gone.value.timed_out) == (True, False)
    assert gone.value.server_unavailable
    assert late.value.transient
    assert gone.value.transient
