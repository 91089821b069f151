"""Who cannot be served at all is told so at once, and takes no place in the queue from those who can."""

from __future__ import annotations

import asyncio

import pytest
from t2i_service.errors import BreakerOpenError, StoppingError
from t2i_service.generating.breaker import FAILURES_TO_OPEN
from t2i_service.observing.context import request_context
from t2i_service.providers.upstream_errors import UpstreamCutError

from tests.unit.service.running import TASK, Running


async def test_an_open_breaker_is_told_without_a_turn_of_the_queue() -> None:
    running = Running(max_in_flight=1, max_queued=0)
    held = asyncio.create_task(running.generator.generate(TASK))
    while not running.provider.created:  # noqa: ASYNC110 - the provider is the condition
        await asyncio.sleep(0)
    for _ in range(FAILURES_TO_OPEN):
        running.breaker.learn(running.breaker.admit(), UpstreamCutError("cut"))
    with pytest.raises(BreakerOpenError):
        await running.generator.generate(TASK)
    value = running.metrics.registry.get_sample_value
    assert value("t2i_generations_rejected_total", {"reason": "queue_full"}) == 0
    assert value("image_generation_total", {"status": "error"}) == 1
    held.cancel()
    await asyncio.wait((held,))
    assert await running.background.drain(5) == 0
    assert running.provider.created == ["p0"]


async def test_a_pod_that_has_stopped_waiting_begins_nothing_that_it_could_not_end() -> None:
    running = Running()
    generator = running.generator
    generator.stop()
    for asked in (generator.generate(TASK), generator.generate_all([TASK, TASK]), generator.begin(TASK)):
        with pytest.raises(StoppingError):
            await asked
    assert running.provider.created == []
    assert not request_context().may_have_created
    assert running.metrics.registry.get_sample_value("t2i_generations_abandoned_total") == 0
