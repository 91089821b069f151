"""Links to images need no key, so what they may cost is bounded: so many at once, so many bytes, so often."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakValueDictionary

from t2i_service.callers.buckets import Bucket
from t2i_service.callers.byte_limit import ByteLimit, NoRoomError, Room
from t2i_service.callers.concurrency_limit import MAX_WAITING, WAIT_SECONDS, ConcurrencyLimit
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
# A browser does not ask again; a proxy that waits a minute for a first byte must still see one, slots and all.
ROOM_SECONDS = 15.0
# A host may send an image byte by byte, and each waits for the next.
FETCH_SECONDS = 60.0


class ImageLinks:
    """A link may be in anybody's hands, and each image is held whole until it is sent."""

    def __init__(self, metrics: Metrics, questions: Bucket) -> None:
        self._limit = ConcurrencyLimit(
            metrics, "image_links", "More images are asked for than can be passed on at once.", questions
        )
        self._buckets: OrderedDict[tuple[str, int], Bucket] = OrderedDict()
        self._pod = ByteLimit(POD_BYTES)
        self._generations: WeakValueDictionary[str, ByteLimit] = WeakValueDictionary()
        self._waiting = 0

    @asynccontextmanager
    async def followed(self, generation_id: str, index: int) -> AsyncIterator[Room]:
        """Yield the image's room, in which nothing is held yet, until it is sent; raise `LinkRateLimitedError`."""
        self._admit(generation_id, index)
        room = Room(self._generations.setdefault(generation_id, ByteLimit(GENERATION_BYTES)), self._pod)
        try:
            yield room
        finally:
            room.take(0)

    async def fetched(self, room: Room, fetch: Callable[[], Awaitable[T]], *, asks: bool) -> T:
        """Fetch in a slot, within `FETCH_SECONDS`; raise `OverloadedError`, `LinkRateLimitedError` or `TimeoutError`.

        Where there is no room for what comes it is let go, slot and all, and fetched anew once there is.
        """
        while True:
            try:
                async with self._limit.slot(asks=asks), asyncio.timeout(FETCH_SECONDS):
                    return await fetch()
            except NoRoomError as error:
                size = error.size
            await self._wait(room, size)

    async def _wait(self, room: Room, size: int) -> None:
        if self._waiting >= MAX_WAITING:
            raise LinkRateLimitedError(WAIT_SECONDS)
        self._waiting += 1
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                await room.wait(size)
        except TimeoutError:
            if room.waits_for is self._pod:
                raise self._limit.overloaded() from None
            raise LinkRateLimitedError(WAIT_SECONDS) from None
        finally:
            self._waiting -= 1

    def _admit(self, generation_id: str, index: int) -> None:
        bucket = self._buckets.setdefault((generation_id, index), Bucket(PER_LINK_A_MINUTE))
        self._buckets.move_to_end((generation_id, index))
        if len(self._buckets) > MAX_LINKS:
            self._buckets.popitem(last=False)
        if seconds := bucket.take():
            raise LinkRateLimitedError(seconds)
