"""What the probes are told."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from t2i_operator.health import STREAM_LIMIT_SECONDS, Health
from t2i_operator.metrics import Metrics


class Told:
    """What the operator knows of itself, for a test to change."""

    age = 0.0
    synced = False
    port = 0


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    told = Told()
    health = Health({"pods": lambda: told.age, "secrets": lambda: 0.0}, lambda: told.synced, Metrics())
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
    told.age = STREAM_LIMIT_SECONDS + 1
    status, text = await _get(told, "/healthz")
    assert status == 503
    assert '"silent": ["pods"]' in text


async def test_readiness_waits_for_the_first_lists(told: Told) -> None:
    assert (await _get(told, "/readyz"))[0] == 503
    told.synced = True
    assert (await _get(told, "/readyz"))[0] == 200


async def test_metrics_are_served(told: Told) -> None:
    status, text = await _get(told, "/metrics")
    assert status == 200
    assert "# TYPE t2i_operator_reconciles_total counter" in text
    assert "process_resident_memory_bytes" in text
