"""One request's predictions share its fate: a trial is one of them, a slot is enough, and none is paid for in vain."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from t2i_service.errors import GenerationFailedError, OverloadedError
from t2i_service.generating.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, BreakerState
from t2i_service.providers.base import Image, Prediction, Status
from t2i_service.providers.upstream_errors import UpstreamCutError

from tests.unit.service.running import TASK, HeldProvider, Running

SEVERAL = [TASK] * 3


@dataclass
class Stepwise(HeldProvider):
    """Has each picture when the test says so, and remembers how many predictions ran at once."""

    outcome: Status = Status.SUCCEEDED
    ends: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    running: int = 0
    most: int = 0

    async def wait(self, _label: str, prediction: Prediction, _deadline: float) -> Prediction:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.ends.acquire()
        finally:
            self.running -= 1
        return replace(prediction, status=self.outcome, outputs=("picture",))

    async def fetch(self, _label: str, _prediction: Prediction, _index: int) -> Image:
        return Image(b"", "image/png", 64, 64)


async def turns(count: int = 50) -> None:
    """Let everything come as far as it can without the provider."""
    for _ in range(count):
        await asyncio.sleep(0)


def half_open() -> Breaker:
    now = [0.0]
    breaker = Breaker("sdxl", lambda: now[0])
    for _ in range(FAILURES_TO_OPEN):
        breaker.learn(breaker.admit(), UpstreamCutError("cut"))
    now[0] += OPEN_SECONDS
    assert breaker.state is BreakerState.HALF_OPEN
    return breaker


async def test_side_by_side_where_there_is_room() -> None:
    provider = Stepwise()
    asked = asyncio.create_task(Running(provider).generator.generate_all(SEVERAL))
    await turns()
    assert provider.running == 3
    for _ in SEVERAL:
        provider.ends.release()
    assert [run.prediction_id for run in await asked] == ["p0", "p1", "p2"]


async def test_one_of_them_is_the_trial_and_the_others_follow_its_success() -> None:
    provider, breaker = Stepwise(), half_open()
    asked = asyncio.create_task(Running(provider, breaker=breaker).generator.generate_all(SEVERAL))
    await turns()
    assert (provider.created, breaker.state) == (["p0"], BreakerState.HALF_OPEN)
    provider.ends.release()
    await turns()
    assert (provider.running, breaker.state) == (2, BreakerState.CLOSED)
    for _ in SEVERAL:
        provider.ends.release()
    assert len(await asked) == 3
    assert provider.canceled == []


async def test_a_trial_that_fails_is_all_that_was_tried() -> None:
    provider = Stepwise(outcome=Status.FAILED)
    provider.ends.release()
    running = Running(provider, breaker=half_open())
    with pytest.raises(GenerationFailedError):
        await running.generator.generate_all(SEVERAL)
    assert await running.background.drain(5) == 0
    assert provider.created == ["p0"]
    assert running.metrics.registry.get_sample_value("image_generation_total", {"status": "canceled"}) == 0


async def test_they_take_turns_in_a_slot_and_no_queues_end_ends_what_is_paid_for() -> None:
    provider = Stepwise()
    running = Running(provider, max_in_flight=1, max_queued=0, max_queue_seconds=0)
    asked = asyncio.create_task(running.generator.generate_all(SEVERAL))
    await turns()
    assert not asked.done()
    with pytest.raises(OverloadedError):
        await running.generator.generate(TASK)
    for _ in SEVERAL:
        provider.ends.release()
    assert len(await asked) == 3
    assert (provider.most, provider.canceled) == (1, [])


async def test_a_stopping_pod_answers_and_stops_them_all() -> None:
    provider = Stepwise()
    running = Running(provider, max_in_flight=2)
    asked = asyncio.create_task(running.generator.generate_all(SEVERAL))
    await turns()
    running.generator.stop()
    with pytest.raises(Exception, match="is stopping"):
        await asked
    assert await running.background.drain(5) == 0
    assert provider.canceled == provider.created == ["p0", "p1"]
