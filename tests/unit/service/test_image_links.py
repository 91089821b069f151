"""What links to images may cost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
from t2i_service.callers import concurrency_limit, image_links
from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import AT_ONCE, MAX_WAITING
from t2i_service.callers.image_links import OF_ONE_GENERATION, ImageLinks
from t2i_service.errors import LinkRateLimitedError, OverloadedError
from t2i_service.observing.metrics import Metrics
from t2i_service.providers.replicate_client import CALLERS_BYTES, MAX_IMAGE_BYTES


async def test_a_full_queue_and_a_long_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_limit, "WAIT_SECONDS", 0.05)
    metrics, enough = Metrics("1", "c"), asyncio.Event()
    links = ImageLinks(metrics, Bucket(1000))

    async def follow() -> None:
        async with links.fetching(asks=False):
            await enough.wait()

    inside = [asyncio.ensure_future(follow()) for _ in range(AT_ONCE)]
    waiting = [asyncio.ensure_future(follow()) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await follow()
    assert all(isinstance(end, OverloadedError) for end in await asyncio.gather(*waiting, return_exceptions=True))
    enough.set()
    await asyncio.gather(*inside)
    await follow()
    refused = metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": "image_links"})
    assert refused == MAX_WAITING + 1


async def test_an_image_that_never_ends_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "FETCH_SECONDS", 0.05)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))

    async def follow() -> None:
        async with links.fetching(asks=False):
            await asyncio.Event().wait()

    followed = await asyncio.gather(*(follow() for _ in range(AT_ONCE)), return_exceptions=True)
    assert {type(end) for end in followed} == {TimeoutError}
    async with links.fetching(asks=False):
        pass


async def test_the_images_of_one_generation_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "TURN_SECONDS", 0.05)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))
    async with AsyncExitStack() as held:
        for index in range(OF_ONE_GENERATION):
            await held.enter_async_context(links.turn("one", index))
        with pytest.raises(LinkRateLimitedError):
            await held.enter_async_context(links.turn("one", 0))
        monkeypatch.setattr(image_links, "TURN_SECONDS", 60)
        async with links.turn("another", 0):
            waiting = asyncio.ensure_future(held.enter_async_context(links.turn("one", 1)))
            await asyncio.sleep(0)
        assert not waiting.done()
        await held.pop_all().aclose()
        async with asyncio.timeout(5):
            await waiting
    assert not links._turns


def test_one_generation_leaves_room_for_another_image_however_large_its_own_are() -> None:
    assert (OF_ONE_GENERATION + 1) * MAX_IMAGE_BYTES <= CALLERS_BYTES


async def test_what_is_remembered_of_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "MAX_LINKS", 3)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))
    for index in range(10):
        async with links.turn("id", index):
            pass
    assert len(links._buckets) == 3
