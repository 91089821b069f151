"""Failures that may pass: what is said of them, when, and how soon it is tried again."""

import asyncio
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from t2i_operator import builders, spec
from t2i_operator.known.cache import Cache
from t2i_operator.known.faults import APPLY_FAILED, READY, Failure
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.errors import transient
from t2i_operator.kube.kinds import CONFIG_MAP, PROMETHEUS_RULE, SECRET, SERVICE, SERVICE_MONITOR, Kind, Object
from t2i_operator.naming import Key
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS, FailureGrace
from t2i_operator.reconciling.placement import Placement
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.runtime.queue import Queue
from t2i_operator.runtime.work import work
from t2i_operator.settings import read
from t2i_operator.status.conditions import Condition, conditions
from t2i_operator.status.metrics import Metrics

from tests.unit.operator.refusals import FINAL_ERRORS, TRANSIENT_ERRORS, WEBHOOK
from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

KEY = Key("n", "pictures")


class Parts:
    """A reconciler whose work is the test's; `now` is what its grace period takes for the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        cache = Cache()
        metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "generation": 1, "resourceVersion": "1"}
        self.body: dict[str, Any] = {
            "metadata": metadata,
            "spec": {
                "models": [{"name": "sdxl", "provider": "Sandbox"}],
                "monitoring": UNOBSERVED,
            },
        }
        cache.resources.observe(self.body)
        self.reporter = MagicMock(report=AsyncMock(), report_deeds=AsyncMock())
        settings = read(["--service-image=service:1"], {})
        cluster = MagicMock(get=AsyncMock(return_value=None))
        self.reconciler = Reconciler(cluster, cache, MagicMock(), self.reporter, settings)
        self.reconciler._failure_grace = FailureGrace(lambda: self.now)
        self.work = AsyncMock()
        monkeypatch.setattr(self.reconciler, "_bring_about", self.work)

    async def fails(self, error: ApiError) -> None:
        with pytest.raises(ApiError) as raised:
            await self.reconciler.reconcile(KEY)
        assert raised.value is error

    def says(self, *stored: Object) -> dict[str, Condition]:
        """Return what the last report says where these conditions are stored."""
        return {each.type: each for each in conditions(self.reporter.report.await_args.args[2], stored)}

    @property
    def told(self) -> int:
        return self.reporter.report.await_count


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return Parts(monkeypatch)


@pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=str)
async def test_what_may_pass_is_told_only_when_it_lasts(parts: Parts, error: ApiError) -> None:
    parts.work.side_effect = error
    await parts.fails(error)
    parts.now = GRACE_SECONDS - 1
    await parts.fails(error)
    assert parts.told == 0

    parts.now = GRACE_SECONDS
    await parts.fails(error)
    assert parts.told == 1
    assert parts.reporter.report.await_args.args[2].failure == error.message


@pytest.mark.parametrize("error", FINAL_ERRORS, ids=str)
async def test_what_needs_a_person_is_told_at_once(parts: Parts, error: ApiError) -> None:
    parts.work.side_effect = error
    await parts.fails(error)
    assert parts.told == 1


async def test_a_success_in_between_begins_the_count_anew(parts: Parts) -> None:
    parts.work.side_effect = TRANSIENT_ERRORS[0]
    await parts.fails(TRANSIENT_ERRORS[0])
    parts.now = 60.0
    parts.work.side_effect = None
    await parts.reconciler.reconcile(KEY)
    assert parts.told == 1

    parts.now = GRACE_SECONDS + 1
    parts.work.side_effect = TRANSIENT_ERRORS[0]
    await parts.fails(TRANSIENT_ERRORS[0])
    assert parts.told == 1


@pytest.mark.parametrize(("error", "told"), [(TRANSIENT_ERRORS[1], 0), (FINAL_ERRORS[1], 1)], ids=["passing", "final"])
async def test_a_single_object_s_failure_is_judged_alike(parts: Parts, error: ApiError, told: int) -> None:
    async def work(_: Key, body: dict[str, Any], outcome: Outcome) -> None:
        outcome.resource = spec.parse(body)
        outcome.repaired.append(Repair(Id(SERVICE, KEY.namespace, "pictures-service"), "it was deleted"))
        outcome.failed(Id(CONFIG_MAP, KEY.namespace, "pictures-config"), APPLY_FAILED, error)

    parts.work.side_effect = work
    await parts.fails(error)
    assert parts.told == told
    assert parts.reporter.report_deeds.await_count == 1 - told, "what was done is told all the same"


RULE = Id(PROMETHEUS_RULE, KEY.namespace, "pictures-alerts")


def in_place(generation: int) -> Object:
    return {"type": "AlertsReady", "status": "True", "reason": "InPlace", "message": "all well"} | {
        "observedGeneration": generation
    }


async def test_what_only_observes_holds_back_its_own_condition(parts: Parts) -> None:
    async def work(_: Key, body: dict[str, Any], outcome: Outcome) -> None:
        outcome.resource = spec.parse({**body, "spec": {**body["spec"], "monitoring": {}}})
        outcome.failed(RULE, APPLY_FAILED, ApiError(500, "InternalError", WEBHOOK))

    parts.work.side_effect = work
    for now in (0.0, GRACE_SECONDS - 1):
        parts.now = now
        with pytest.raises(ApiError):
            await parts.reconciler.reconcile(KEY)
        said = parts.says(in_place(generation=1))
        assert said["Ready"].reason == "MinimumReplicasUnavailable", "that no pod runs does not wait"
        assert said["AlertsReady"] == ("AlertsReady", "True", "InPlace", "all well")
        of_an_older_spec = parts.says(in_place(generation=0))
        assert of_an_older_spec["AlertsReady"][:3] == ("AlertsReady", "Unknown", "Pending")
        assert of_an_older_spec["Monitored"].status == "Unknown"
    assert parts.told == 2

    parts.now = GRACE_SECONDS
    with pytest.raises(ApiError):
        await parts.reconciler.reconcile(KEY)
    said = parts.says(in_place(generation=1))
    assert (said["AlertsReady"].status, said["AlertsReady"].reason) == ("False", "ApplyFailed")
    assert WEBHOOK in said["AlertsReady"].message


async def test_a_look_at_a_prometheus_that_fails_holds_back_what_it_would_tell(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(_: Key, body: dict[str, Any], outcome: Outcome) -> None:
        monitoring = {**body["spec"]["monitoring"], "alerts": {"mode": "Managed"}}
        outcome.resource = spec.parse({**body, "spec": {**body["spec"], "monitoring": monitoring}})

    parts.work.side_effect = work
    monkeypatch.setattr(parts.reconciler.selection, "_recent", AsyncMock(side_effect=TRANSIENT_ERRORS[3]))
    await parts.fails(TRANSIENT_ERRORS[3])
    assert parts.says(in_place(generation=1))["AlertsReady"].status == "True"
    assert parts.reporter.report.await_args.args[2].in_grace == {"AlertsReady"}


def test_each_condition_has_a_grace_period_of_its_own() -> None:
    now = 0.0
    grace = FailureGrace(lambda: now)
    alerts, whole = (Failure(each, TRANSIENT_ERRORS[3]) for each in ("AlertsReady", READY))
    grace.note(KEY, [alerts])
    now = GRACE_SECONDS
    assert grace.in_grace(KEY, [alerts, whole]) == {READY}
    grace.note(KEY, [whole])
    assert grace.in_grace(KEY, [alerts, whole]) == {READY}, "a pass that was cut short tells nothing of alerts"

    grace.note(KEY, [Failure("DashboardsReady", TRANSIENT_ERRORS[3])])
    assert grace.in_grace(KEY, [alerts]) == {"AlertsReady"}
    grace.note(KEY, [Failure("AlertsReady", FINAL_ERRORS[1])])
    assert grace.in_grace(KEY, [alerts]) == {"AlertsReady"}


@pytest.mark.parametrize(
    ("refused", "in_grace"),
    [(SERVICE_MONITOR, {"MetricsReady", "AlertsReady"}), (CONFIG_MAP, {READY})],
    ids=["one that observes", "one that serves"],
)
async def test_what_was_not_reached_waits_with_what_failed(refused: Kind, in_grace: set[str]) -> None:
    off = {block: {"mode": "Disabled"} for block in ("dashboards", "tracing")}
    watched = resource(monitoring=off)
    wanted = builders.desired(watched, OBSERVED)
    objects = MagicMock(in_sync=lambda _: True, owns=lambda *_: True)

    async def place(desired: Object, *_: Any, **__: Any) -> bytes:
        if desired["kind"] == refused.name:
            raise TRANSIENT_ERRORS[0]
        return b""

    objects.place = place
    outcome = Outcome(generation=1, resource=watched)
    await Placement(MagicMock(), objects).place(watched, wanted, outcome, {})
    assert FailureGrace().in_grace(KEY, outcome.failures) >= in_grace
    assert (READY in FailureGrace().in_grace(KEY, outcome.failures)) == (READY in in_grace)


async def test_a_server_s_wish_to_be_left_alone_is_read() -> None:
    waits = iter(["7", "not a number", "86400"])

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"message": "busy"}, status=429, headers={"Retry-After": next(waits)})

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        for seconds in (7.0, 0.0, 30.0):
            with pytest.raises(ApiError) as raised:
                await Cluster(session).get(SECRET, "n", "a")
            assert raised.value.retry_after == seconds


@pytest.mark.parametrize(
    ("error", "at_most"), [(TRANSIENT_ERRORS[0], 30.0), (FINAL_ERRORS[0], 120.0)], ids=["passing", "final"]
)
async def test_what_may_pass_is_tried_again_sooner(error: ApiError, at_most: float) -> None:
    queue: Queue[Key] = Queue()
    delays = [await _one_run(queue, error) for _ in range(12)]
    assert at_most / 2 <= delays[-1] <= at_most


async def test_a_server_s_wish_to_be_left_alone_is_heeded() -> None:
    assert await _one_run(Queue(), ApiError(429, "", "busy", retry_after=20)) > 20


async def test_a_lasting_refusal_does_not_put_off_the_look_at_secrets() -> None:
    queue: Queue[Key] = Queue()
    refusal = ApiError(403, "Forbidden", "exceeded quota")
    assert max([await _one_run(queue, refusal, poll_seconds=45.0) for _ in range(30)]) <= 45.0
    assert await _one_run(queue, refusal, poll_seconds=600.0) <= 120.0


async def _one_run(queue: Queue[Key], error: ApiError, poll_seconds: float | None = None) -> float:
    """Let one reconciliation fail; return in how many seconds the next is due."""
    metrics = Metrics()
    reconciler = MagicMock(reconcile=AsyncMock(side_effect=error), poll_seconds=lambda _: poll_seconds)
    queue.add(KEY)
    worker = asyncio.create_task(work(queue, reconciler, metrics))
    while KEY not in queue._timers:  # noqa: ASYNC110 - the queue tells nobody of a timer
        await asyncio.sleep(0)
    worker.cancel()
    assert metrics.registry.get_sample_value("t2i_operator_reconciles_total", {"result": "error"}) == 1
    due = queue._timers.pop(KEY)
    due.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    return due.when() - asyncio.get_running_loop().time()


def test_the_grace_period_is_for_what_may_pass_only() -> None:
    assert not transient(TypeError("of ours"))
