"""What links to images may cost."""

from __future__ import annotations

import asyncio

import pytest
from t2i_service.callers import concurrency_limit, image_links
from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import AT_ONCE, MAX_WAITING
from t2i_service.callers.image_links import ImageLinks
from t2i_service.errors import OverloadedError
from t2i_service.observing.metrics import Metrics


async def test_a_full_queue_and_a_long_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_limit, "WAIT_SECONDS", 0.05)
    metrics, enough = Metrics("1", "c"), asyncio.Event()
    links = ImageLinks(metrics, Bucket(1000))

    async def follow(index: int) -> None:
        async with links.turn("id", index):
            await enough.wait()

    inside = [asyncio.ensure_future(follow(index)) for index in range(AT_ONCE)]
    waiting = [asyncio.ensure_future(follow(AT_ONCE + index)) for index in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await follow(10**6)
    assert all(isinstance(end, OverloadedError) for end in await asyncio.gather(*waiting, return_exceptions=True))
    enough.set()
    await asyncio.gather(*inside)
    await follow(0)
    refused = metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": "image_links"})
    assert refused == MAX_WAITING + 1


async def test_an_image_that_never_ends_gives_its_place_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "TURN_SECONDS", 0.05)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))

    async def follow(index: int) -> None:
        async with links.turn("id", index):
            await asyncio.Event().wait()

    followed = await asyncio.gather(*(follow(index) for index in range(AT_ONCE)), return_exceptions=True)
    assert {type(end) for end in followed} == {TimeoutError}
    async with links.turn("id", AT_ONCE):
        pass


async def test_what_is_remembered_of_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "MAX_LINKS", 3)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))
    for index in range(10):
        async with links.turn("id", index):
            pass
    assert len(links._buckets) == 3
