"""Slots are handed on in order, never leak, and a queue that is too long is refused at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from t2i_service.errors import OverloadedError
from t2i_service.generating.admission import Admission
from t2i_service.observing.metrics import Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("0", "0")


async def hold(admission: Admission, order: list[int], number: int, release: asyncio.Event) -> None:
    async with admission.slot():
        order.append(number)
        await release.wait()


async def until(metrics: Metrics, name: str, wanted: float) -> None:
    while value(metrics, name) != wanted:  # noqa: ASYNC110 - the metric is what is waited for
        await asyncio.sleep(0)


async def test_first_come_first_served_and_the_gauges_return(metrics: Metrics) -> None:
    admission, order = Admission(1, 10, 60, metrics), list[int]()
    releases = [asyncio.Event() for _ in range(4)]
    tasks = [asyncio.create_task(hold(admission, order, n, releases[n])) for n in range(4)]
    await until(metrics, "t2i_generations_queued", 3)
    assert value(metrics, "t2i_generations_in_flight") == 1
    for release in releases:
        release.set()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]
    assert value(metrics, "t2i_generations_in_flight") == value(metrics, "t2i_generations_queued") == 0


@pytest.mark.parametrize(("seconds", "told"), [(20, "20"), (0.1, "1"), (600, "60")])
async def test_a_full_queue_is_refused_at_once(metrics: Metrics, seconds: float, told: str) -> None:
    """Clients do not wait for more than a minute."""
    admission, release = Admission(1, 0, seconds, metrics), asyncio.Event()
    task = asyncio.create_task(hold(admission, [], 0, release))
    await until(metrics, "t2i_generations_in_flight", 1)
    with pytest.raises(OverloadedError) as refused:
        async with admission.slot():
            pass
    assert refused.value.headers == {"Retry-After": told}
    assert value(metrics, "t2i_generations_rejected_total", reason="queue_full") == 1
    assert value(metrics, "t2i_generations_rejected_total", reason="queue_wait") == 0
    release.set()
    await task


async def test_the_wait_has_a_limit_and_leaves_nothing_behind(metrics: Metrics) -> None:
    admission, release = Admission(1, 5, 0.01, metrics), asyncio.Event()
    task = asyncio.create_task(hold(admission, [], 0, release))
    await until(metrics, "t2i_generations_in_flight", 1)
    with pytest.raises(OverloadedError):
        async with admission.slot():
            pass
    assert value(metrics, "t2i_generations_rejected_total", reason="queue_wait") == 1
    release.set()
    await task
    async with admission.slot() as waited:
        assert waited == 0


async def test_who_leaves_as_a_slot_comes_free_is_passed_over(metrics: Metrics) -> None:
    admission = Admission(1, 9, 60, metrics)
    async with AsyncExitStack() as held:
        await held.enter_async_context(admission.slot())
        leaving = asyncio.create_task(admission.slot().__aenter__())
        await asyncio.sleep(0)
        leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    async with admission.slot() as waited:
        assert waited == 0


async def test_a_slot_handed_to_who_has_just_left_goes_on(metrics: Metrics) -> None:
    admission, order, release = Admission(1, 5, 60, metrics), list[int](), asyncio.Event()
    async with admission.slot():
        leaving = asyncio.create_task(hold(admission, order, 1, release))
        staying = asyncio.create_task(hold(admission, order, 2, release))
        await until(metrics, "t2i_generations_queued", 2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    release.set()
    await staying
    assert order == [2]
    async with admission.slot() as waited:
        assert waited == 0
