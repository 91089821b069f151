"""What links to images may cost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import pytest
from t2i_service.callers import concurrency_limit, image_links
from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import AT_ONCE, MAX_WAITING
from t2i_service.callers.image_links import GENERATION_ASKING, GENERATION_BYTES, MAX_IMAGE_BYTES, POD_BYTES, ImageLinks
from t2i_service.errors import LinkRateLimitedError, OverloadedError
from t2i_service.observing.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

USUAL = 2 * 1024 * 1024


@dataclass
class Viewers:
    """Follow links to images whose size is known at once, and take nothing until they are let."""

    metrics: Metrics = field(default_factory=lambda: Metrics("1", "c"))
    lets: asyncio.Event = field(default_factory=asyncio.Event)
    inside: list[str] = field(default_factory=list)
    fetches: int = 0

    def __post_init__(self) -> None:
        self.links = ImageLinks(self.metrics, Bucket(10000))

    def refused(self) -> float | None:
        return self.metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": "image_links"})

    async def follow(self, generation_id: str, size: int = USUAL, said: int = 0, index: int = 0) -> None:
        async with self.links.followed(generation_id, index) as room:

            async def fetch() -> None:
                self.fetches += 1
                room.take(said or size)
                await asyncio.sleep(0)
                room.take(size)

            await self.links.fetched(room, fetch, asks=False)
            self.inside.append(generation_id)
            await self.lets.wait()

    async def begin(self, count: int, generation_id: str, size: int = USUAL, said: int = 0) -> list[asyncio.Task[None]]:
        """Return when each is inside or waits for room."""
        before = self.settled()
        tasks = [asyncio.create_task(self.follow(generation_id, size, said, index)) for index in range(count)]
        async with asyncio.timeout(5):
            while self.settled() < before + count:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
        return tasks

    def settled(self) -> int:
        """Return how many are inside or wait for room, and not for a turn."""
        turns = [turn for limit in (self.links._pod, *self.links._generations.values()) for _, turn in limit._waiting]
        return len(self.inside) + sum(not turn.cancelled() for turn in turns)

    async def end(self, *tasks: asyncio.Task[None]) -> None:
        """Let all take theirs; nothing is held any more."""
        self.lets.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)
        assert self.links._pod._free == POD_BYTES


@asynccontextmanager
async def stuck(viewers: Viewers, count: int) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Have so many follow the links of "one" whose images do not come."""

    async def follow(index: int) -> None:
        async with viewers.links.followed("one", index) as room:
            await viewers.links.fetched(room, asyncio.Event().wait, asks=False)

    tasks = [asyncio.create_task(follow(index)) for index in range(count)]
    await asyncio.sleep(0)
    yield tasks
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_full_queue_and_a_long_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_limit, "WAIT_SECONDS", 0.05)
    viewers, enough, ids = Viewers(), asyncio.Event(), count()

    async def follow() -> None:
        async with viewers.links.followed(str(next(ids)), 0) as room:
            await viewers.links.fetched(room, enough.wait, asks=False)

    inside = [asyncio.ensure_future(follow()) for _ in range(AT_ONCE)]
    waiting = [asyncio.ensure_future(follow()) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await follow()
    assert all(isinstance(end, OverloadedError) for end in await asyncio.gather(*waiting, return_exceptions=True))
    enough.set()
    await asyncio.gather(*inside)
    await follow()
    assert viewers.refused() == MAX_WAITING + 1


async def test_an_image_that_never_ends_gives_its_place_and_its_room_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "FETCH_SECONDS", 0.05)
    viewers = Viewers()

    async def follow() -> None:
        async with viewers.links.followed("one", 0) as room:

            async def fetch() -> None:
                room.take(USUAL)
                await asyncio.Event().wait()

            await viewers.links.fetched(room, fetch, asks=False)

    followed = await asyncio.gather(*(follow() for _ in range(AT_ONCE)), return_exceptions=True)
    assert {type(end) for end in followed} == {TimeoutError}
    monkeypatch.undo()
    await viewers.end(*await viewers.begin(1, "one"))


async def test_a_page_that_several_people_see_is_inside_at_once() -> None:
    viewers = Viewers()
    tasks = await viewers.begin(GENERATION_BYTES // USUAL, "one")
    assert viewers.links._waiting == 0
    await viewers.end(*tasks)


@pytest.mark.parametrize("said", [USUAL, MAX_IMAGE_BYTES], ids=["said", "unsaid"])
async def test_a_page_of_ten_that_twelve_people_load_at_once_just_works(said: int) -> None:
    viewers = Viewers()
    viewers.lets.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*(viewers.follow("one", said=said, index=index) for index in range(10) for _ in range(12)))
    await viewers.end()


async def test_who_has_waited_for_room_has_all_the_time_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "FETCH_SECONDS", 0.3)
    viewers = Viewers()
    async with AsyncExitStack() as held:
        (await held.enter_async_context(viewers.links.followed("one", 0))).take(GENERATION_BYTES)
        tasks = await viewers.begin(1, "one")
        await asyncio.sleep(0.4)
    await viewers.end(*tasks)


async def test_large_images_of_one_generation_wait_and_leave_room_for_any_other() -> None:
    viewers = Viewers()
    most = GENERATION_BYTES // MAX_IMAGE_BYTES
    tasks = await viewers.begin(most + AT_ONCE + 1, "one", MAX_IMAGE_BYTES)
    assert viewers.inside == ["one"] * most
    other = await viewers.begin(1, "another", MAX_IMAGE_BYTES)
    assert viewers.inside == [*["one"] * most, "another"]
    await viewers.end(*tasks, *other)
    assert viewers.fetches == len(tasks) + 1 + AT_ONCE + 1, "who waits has neither a slot nor an open connection"


async def test_images_of_one_generation_that_do_not_come_leave_slots_for_any_other() -> None:
    viewers = Viewers()
    async with stuck(viewers, 30) as tasks:
        assert viewers.links._waiting == len(tasks) - AT_ONCE // 2
        async with asyncio.timeout(1):
            other = await viewers.begin(1, "another")
        assert viewers.inside == ["another"]
    await viewers.end(*other)


async def test_those_who_wait_for_one_generation_leave_others_a_place_to_wait() -> None:
    viewers = Viewers()
    async with AsyncExitStack() as held:
        for each, size in (("one", GENERATION_BYTES), ("a third", POD_BYTES - GENERATION_BYTES)):
            (await held.enter_async_context(viewers.links.followed(each, 999))).take(size)
        tasks = [asyncio.create_task(viewers.follow("one", index=index)) for index in range(200)]
        async with asyncio.timeout(5):
            while viewers.settled() + sum(task.done() for task in tasks) < len(tasks):  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
        assert viewers.links._waiting == GENERATION_ASKING < MAX_WAITING
        tasks += await viewers.begin(1, "another")
    viewers.lets.set()
    async with asyncio.timeout(5):
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends if end] == [LinkRateLimitedError] * (200 - GENERATION_ASKING)
    assert viewers.inside.count("another") == 1


async def test_a_long_wait_for_a_turn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    viewers = Viewers()
    async with stuck(viewers, AT_ONCE // 2), asyncio.timeout(5):
        monkeypatch.setattr(image_links, "ROOM_SECONDS", 0.05)
        with pytest.raises(LinkRateLimitedError):
            await viewers.follow("one")
    assert viewers.refused() == 0


async def test_who_has_waited_for_a_turn_waits_less_for_room() -> None:
    viewers = Viewers()
    async with viewers.links.followed("one", 0) as room:

        async def fetch() -> None:
            room.take(USUAL)

        async with viewers.links.followed("one", 1) as other:
            other.take(GENERATION_BYTES)
            async with stuck(viewers, AT_ONCE // 2):
                task = asyncio.create_task(viewers.links.fetched(room, fetch, asks=False))
                await asyncio.sleep(0.1)
            async with asyncio.timeout(5):
                while not viewers.settled():  # noqa: ASYNC110 - nothing else tells
                    await asyncio.sleep(0)
            between = room.patience
            await asyncio.sleep(0.1)
        await task
        assert room.patience < between < image_links.ROOM_SECONDS


async def test_what_an_image_is_said_to_be_is_held_only_until_it_is_read() -> None:
    viewers = Viewers()
    tasks = await viewers.begin(GENERATION_BYTES // MAX_IMAGE_BYTES + 1, "one", USUAL, said=MAX_IMAGE_BYTES)
    async with asyncio.timeout(5):
        while len(viewers.inside) < len(tasks):  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0)
    assert viewers.links._pod._free == POD_BYTES - len(tasks) * USUAL
    await viewers.end(*tasks)


async def test_a_long_wait_for_room_is_refused_by_whose_room_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    viewers = Viewers()
    tasks = await viewers.begin(GENERATION_BYTES // MAX_IMAGE_BYTES, "one", MAX_IMAGE_BYTES)
    monkeypatch.setattr(image_links, "ROOM_SECONDS", 0.05)
    async with asyncio.timeout(5):
        with pytest.raises(LinkRateLimitedError):
            await viewers.follow("one")
    assert viewers.refused() == 0
    tasks += await viewers.begin(1, "another", MAX_IMAGE_BYTES)
    async with asyncio.timeout(5):
        with pytest.raises(OverloadedError):
            await viewers.follow("a third")
    assert viewers.refused() == 1
    await viewers.end(*tasks)


async def test_no_more_than_so_many_wait_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "MAX_WAITING", 2)
    viewers = Viewers()
    async with AsyncExitStack() as held:
        (await held.enter_async_context(viewers.links.followed("one", 0))).take(GENERATION_BYTES)
        tasks = await viewers.begin(2, "one")
        async with asyncio.timeout(5):
            with pytest.raises(LinkRateLimitedError):
                await viewers.follow("one")
        tasks.pop().cancel()
        async with asyncio.timeout(5):
            while viewers.links._waiting > 1:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0)
        tasks += await viewers.begin(1, "one")
    await viewers.end(*tasks)


async def test_what_is_remembered_of_links_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_links, "MAX_LINKS", 3)
    links = ImageLinks(Metrics("1", "c"), Bucket(1000))
    for index in range(10):
        async with links.followed("id", index):
            pass
    assert len(links._buckets) == 3
    assert not links._generations
