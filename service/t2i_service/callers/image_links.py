"""Links to images need no key, so what they may cost is bounded: so many at once, so many bytes, so often."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from t2i_service.callers.buckets import Bucket
from t2i_service.callers.byte_limit import ByteLimit, NoRoomError, Room
from t2i_service.callers.concurrency_limit import AT_ONCE, MAX_WAITING, WAIT_SECONDS, ConcurrencyLimit
from t2i_service.errors import LinkRateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from t2i_service.observing.metrics import Metrics

T = TypeVar("T")

# A picture is looked at more often than it is made: a page shows several, and is loaded again.
PER_LINK_A_MINUTE = 60
MAX_LINKS = 4096
# What providers take for an image.
MAX_IMAGE_BYTES = 32 * 1024 * 1024
# Of images of the usual two MiB, four times as many as there are slots.
POD_BYTES = 4 * MAX_IMAGE_BYTES
# Whoever has one generation's links and reads nothing keeps nobody from another's image, however large.
GENERATION_BYTES = POD_BYTES - MAX_IMAGE_BYTES
# Nor does one whose images come slowly.
GENERATION_AT_ONCE = AT_ONCE // 2
# Being fetched or waiting: a page of ten that twelve people load. Should all of them wait, others still can.
GENERATION_ASKING = MAX_WAITING - GENERATION_AT_ONCE
# Of all waits for a turn and for room. A browser does not ask again; a proxy that waits a minute for a first byte must
# still see one, slots and all.
ROOM_SECONDS = 15.0
# A host may send an image byte by byte, and each waits for the next.
FETCH_SECONDS = 60.0


class Generation(ByteLimit):
    """What all who follow the links of one share: bytes, slots and places to wait."""

    def __init__(self) -> None:
        super().__init__(GENERATION_BYTES)
        self.turns = asyncio.Semaphore(GENERATION_AT_ONCE)
        self.asking = 0


class ImageRoom(Room):
    """What one follower holds, and for how many seconds it may still wait."""

    def __init__(self, generation: Generation, pod: ByteLimit) -> None:
        super().__init__(generation, pod)
        self.generation = generation
        self.patience = ROOM_SECONDS


class ImageLinks:
    """A link may be in anybody's hands, and each image is held whole until it is sent."""

    def __init__(self, metrics: Metrics, questions: Bucket) -> None:
        self._limit = ConcurrencyLimit(
            metrics, "image_links", "More images are asked for than can be passed on at once.", questions
        )
        self._buckets: OrderedDict[tuple[str, int], Bucket] = OrderedDict()
        self._pod = ByteLimit(POD_BYTES)
        self._generations: WeakValueDictionary[str, Generation] = WeakValueDictionary()
        self._waiting = 0

    @asynccontextmanager
    async def followed(self, generation_id: str, index: int) -> AsyncIterator[ImageRoom]:
        """Yield the image's room, in which nothing is held yet, until it is sent; raise `LinkRateLimitedError`."""
        self._admit(generation_id, index)
        room = ImageRoom(self._generations.setdefault(generation_id, Generation()), self._pod)
        try:
            yield room
        finally:
            room.take(0)

    async def fetched(self, room: ImageRoom, fetch: Callable[[], Awaitable[T]], *, asks: bool) -> T:
        """Fetch in a slot, within `FETCH_SECONDS`; raise `OverloadedError`, `LinkRateLimitedError` or `TimeoutError`.

        Where there is no room for what comes it is let go, slot and all, and fetched anew once there is.
        """
        if room.generation.asking >= GENERATION_ASKING:
            raise LinkRateLimitedError(WAIT_SECONDS)
        room.generation.asking += 1
        try:
            while True:
                try:
                    async with self._turn(room), self._limit.slot(asks=asks), asyncio.timeout(FETCH_SECONDS):
                        return await fetch()
                except NoRoomError as error:
                    size = error.size
                await self._wait(room, partial(room.wait, size))
        finally:
            room.generation.asking -= 1

    @asynccontextmanager
    async def _turn(self, room: ImageRoom) -> AsyncIterator[None]:
        """Hold one of the slots that the generation may have."""
        turns = room.generation.turns
        if turns.locked():
            await self._wait(room, turns.acquire)
        else:
            await turns.acquire()
        try:
            yield
        finally:
            turns.release()

    async def _wait(self, room: ImageRoom, until: Callable[[], Awaitable[object]]) -> None:
        if self._waiting >= MAX_WAITING:
            raise LinkRateLimitedError(WAIT_SECONDS)
        self._waiting += 1
        began = time.monotonic()
        try:
            async with asyncio.timeout(room.patience):
                await until()
        except TimeoutError:
            if room.waits_for is self._pod:
                raise self._limit.overloaded() from None
            raise LinkRateLimitedError(WAIT_SECONDS) from None
        finally:
            self._waiting -= 1
            room.patience -= time.monotonic() - began

    def _admit(self, generation_id: str, index: int) -> None:
        bucket = self._buckets.setdefault((generation_id, index), Bucket(PER_LINK_A_MINUTE))
        self._buckets.move_to_end((generation_id, index))
        if len(self._buckets) > MAX_LINKS:
            self._buckets.popitem(last=False)
        if seconds := bucket.take():
            raise LinkRateLimitedError(seconds)
