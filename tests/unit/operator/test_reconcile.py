"""What becomes of a bug of ours, and of what is not ours: what is said, counted, and looked at again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest
from t2i_operator.known.cache import Cache
from t2i_operator.known.credentials import Problem
from t2i_operator.kube.cluster import ApiError
from t2i_operator.naming import Key
from t2i_operator.reconciling.facts import Facts, Pass
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.runtime.queue import Queue
from t2i_operator.runtime.work import work
from t2i_operator.settings import Settings, read
from t2i_operator.status.metrics import Metrics

from tests.unit.operator.resources import UNOBSERVED

KEY = Key("n", "pictures")
EMPTY = MagicMock(get=AsyncMock(return_value=None))


@pytest.fixture
def settings() -> Settings:
    return read(["--service-image=service:1"], {})


async def test_a_bug_is_told_in_the_status_and_raised(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, reporter = Cache(), MagicMock(report=AsyncMock())
    body: dict[str, Any] = {
        "apiVersion": "texttoimage.dev/v1alpha1",
        "kind": "TextToImageService",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "generation": 1, "resourceVersion": "1"},
        "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}]},
    }
    cache.resources.observe(body)
    reconciler = Reconciler(EMPTY, cache, MagicMock(), reporter, settings)
    monkeypatch.setattr(reconciler, "_bring_about", AsyncMock(side_effect=TypeError("of ours")))

    with pytest.raises(TypeError, match="of ours"):
        await reconciler.reconcile(KEY)

    (_, _, outcome), _ = reporter.report.call_args
    assert outcome.failure == "TypeError: this is a bug of the operator, and its log has the traceback"


async def test_what_is_known_of_credentials_stays_while_secrets_cannot_be_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, reporter = Cache(), MagicMock(report=AsyncMock(), report_deeds=AsyncMock())
    secrets = MagicMock(versions=AsyncMock(side_effect=ApiError(500, "", "etcdserver: leader changed")))
    cache.resources.observe(
        {
            "metadata": {
                "name": KEY.name,
                "namespace": KEY.namespace,
                "uid": "u",
                "generation": 1,
                "resourceVersion": "1",
            },
            "spec": {
                "models": [{"name": "sdxl", "provider": "Sandbox"}],
                "credentials": {"secretRef": {"name": "tokens"}},
                "monitoring": UNOBSERVED,
            },
        }
    )
    reconciler = Reconciler(EMPTY, cache, secrets, reporter, settings)
    problem = Problem("SecretMissing", "there is no Secret tokens")
    lacks = {"AlertsReady": Problem("SecretMissing", "there is no Secret hooks")}
    facts = Facts("u", 1, {}, {}, several_pods=False)
    complete = Pass(facts=facts, expected={}, stays=[], credentials=problem, lacks=lacks, at=0.0)
    reconciler._ledger.record_complete(KEY, complete)
    monkeypatch.setattr(reconciler, "_failure_grace", MagicMock(in_grace=lambda *_: frozenset()))

    with pytest.raises(ApiError):
        await reconciler.reconcile(KEY)
    (_, _, outcome), _ = reporter.report.call_args
    assert (outcome.credentials, outcome.lacks) == (problem, lacks)


@pytest.mark.parametrize("trouble", ["containerStatuses", "conditions"])
async def test_a_trouble_that_time_ends_is_looked_at_again_then(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    cache, reporter = Cache(), MagicMock(report=AsyncMock())
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "generation": 1, "resourceVersion": "1"}
    cache.resources.observe({"metadata": metadata, "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}]}})
    reconciler = Reconciler(EMPTY, cache, MagicMock(), reporter, settings)
    monkeypatch.setattr(reconciler, "_bring_about", AsyncMock())
    assert await reconciler.reconcile(KEY) == settings.resync_seconds

    began = datetime.now(UTC) - timedelta(minutes=9)
    crashed = {"name": "main", "lastState": {"terminated": {"reason": "Error", "exitCode": 1}}}
    running = {"running": {"startedAt": began.isoformat()}}
    unplaced = {"type": "PodScheduled", "reason": "Unschedulable", "lastTransitionTime": began.isoformat()}
    labels = {"app.kubernetes.io/instance": KEY.name, "app.kubernetes.io/component": "service"}
    pod = {"metadata": {"name": "p", "namespace": KEY.namespace, "labels": labels}}
    told: dict[str, Any] = {"containerStatuses": [{**crashed, "state": running}], "conditions": [unplaced]}
    assert cache.pods.observe(pod | {"status": {trouble: told[trouble]}}) == KEY
    again = await reconciler.reconcile(KEY)
    assert again is not None
    assert again <= 60


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, None),
        ({"credentials": {"secretRef": {"name": "s"}}}, 45.0),
        ({"httpRoute": {"parentRefs": [{"name": "g"}]}}, 45.0),
        ({"models": "none"}, None),
    ],
    ids=str,
)
def test_what_names_a_secret_is_looked_at_though_it_fails(
    settings: Settings, given: dict[str, Any], seconds: float | None
) -> None:
    cache = Cache()
    metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "generation": 1, "resourceVersion": "1"}
    spec = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "monitoring": UNOBSERVED, **given}
    cache.resources.observe({"metadata": metadata, "spec": spec})
    reconciler = Reconciler(MagicMock(), cache, MagicMock(), MagicMock(), settings)
    assert reconciler.poll_seconds(KEY) == seconds
    assert reconciler.poll_seconds(Key("n", "gone")) is None


@pytest.mark.parametrize(("again", "result"), [(None, "nothing"), (600.0, "success")], ids=["anothers", "ours"])
async def test_a_look_at_what_is_anothers_is_no_success(again: float | None, result: str) -> None:
    queue, metrics = Queue[Key](), Metrics()
    worker = asyncio.create_task(work(queue, MagicMock(reconcile=AsyncMock(return_value=again)), metrics))
    queue.add(KEY)
    async with asyncio.timeout(10):
        while not next(iter(metrics.reconciles.collect())).samples:  # noqa: ASYNC110 - a metric tells nobody
            await asyncio.sleep(0)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert metrics.registry.get_sample_value("t2i_operator_reconciles_total", {"result": result}) == 1
