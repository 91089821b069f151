"""What the probes are told."""

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import MagicMock

import aiohttp
import pytest
from t2i_operator.kube.kinds import POD
from t2i_operator.runtime.cache_sync import CacheSync
from t2i_operator.runtime.health import STREAM_LIMIT_SECONDS, Health
from t2i_operator.runtime.watches import Stream, WatchScope
from t2i_operator.status.metrics import Metrics


class Told:
    """What the operator knows of itself, for a test to change."""

    age = silence = 0.0
    port = 0

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.may_lead = True
        self.cache_sync = CacheSync()
        self.streams: dict[str, Stream] = {}

    def all_refused(self) -> set[str]:
        return self.refused | self.cache_sync.refused()

    def watch(self, namespace: str) -> None:
        """Watch one more namespace, by one stream that is not there yet."""
        stream = self.streams[namespace] = Stream(MagicMock(), WatchScope(POD, namespace, "a=b"), MagicMock())
        self.cache_sync.add(namespace, [stream])

    async def listed(self, namespace: str) -> None:
        self.streams[namespace].synced.set()
        await self.cache_sync._sync(namespace, lambda: None)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    told = Told()
    health = Health(
        ages={"pods": lambda: told.age},
        silences={"pods": lambda: told.silence, "secrets": lambda: 0.0},
        refused=told.all_refused,
        cache_sync=told.cache_sync,
        may_lead=lambda: told.may_lead,
        metrics=Metrics(),
    )
    runner = await health.serve(0)
    told.port = next(address[1] for address in runner.addresses if len(address) == 2)  # IPv4: port 0 is two ports
    yield told
    await runner.cleanup()


async def _get(told: Told, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{told.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_a_silent_stream_turns_liveness_red_and_is_named(told: Told) -> None:
    assert (await _get(told, "/healthz"))[0] == 200
    told.silence = STREAM_LIMIT_SECONDS + 1
    status, text = await _get(told, "/healthz")
    assert status == 503
    assert '"silent": ["pods"]' in text


async def test_what_is_refused_is_named_and_no_reason_for_a_restart(told: Told) -> None:
    told.age, told.refused = STREAM_LIMIT_SECONDS + 1, {"pods"}
    status, text = await _get(told, "/healthz")
    assert status == 200
    assert '"silent": [], "refused": ["pods"]' in text
    assert f'"stream_age_seconds": {{"pods": {told.age}}}' in text
    told.silence = STREAM_LIMIT_SECONDS + 1
    assert (await _get(told, "/healthz"))[0] == 503, "nothing is heard any more, not even that"


async def test_readiness_waits_for_the_first_lists(told: Told) -> None:
    told.watch("one")
    told.watch("two")
    await told.listed("one")
    status, text = await _get(told, "/readyz")
    assert status == 503
    assert '"never_listed": ["pods@two?a=b"], "refused": []' in text
    await told.listed("two")
    assert (await _get(told, "/readyz"))[0] == 200


async def test_no_kind_is_done_without_before_all_others_are_listed() -> None:
    """Until then the API server itself may be what fails its lists."""
    optional, required = (MagicMock(optional=each, synced=asyncio.Event()) for each in (True, False))
    optional.wait_no_longer.side_effect = optional.synced.set
    cache_sync = CacheSync()
    cache_sync.add("one", [optional, required])
    syncing = asyncio.create_task(cache_sync._sync("one", lambda: None))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not optional.wait_no_longer.called
    required.synced.set()
    await asyncio.wait_for(syncing, timeout=30)
    assert cache_sync.ready


async def test_readiness_waits_for_no_namespace_that_is_refused_but_for_one_at_least(told: Told) -> None:
    told.watch("one")
    told.watch("two")
    told.streams["two"].refused = True
    assert (await _get(told, "/readyz"))[0] == 503, "one of them is still to come"
    told.streams["one"].refused = True
    assert (await _get(told, "/readyz"))[0] == 503, "there is nothing to serve"
    told.streams["one"].refused = False
    await told.listed("one")
    status, text = await _get(told, "/readyz")
    assert status == 200
    assert '"refused": ["pods@two?a=b"]' in text


async def test_who_may_not_have_the_lease_is_not_ready(told: Told) -> None:
    told.watch("one")
    await told.listed("one")
    told.may_lead = False
    status, text = await _get(told, "/readyz")
    assert status == 503
    assert '"may_lead": false' in text
    assert (await _get(told, "/healthz"))[0] == 200, "a restart brings no right back"


async def test_metrics_are_served(told: Told) -> None:
    status, text = await _get(told, "/metrics")
    assert status == 200
    assert "# TYPE t2i_operator_reconciles_total counter" in text
    assert "process_resident_memory_bytes" in text
