"""Links to images need no key, so what they may cost is bounded: so many at once, fewer of one generation, so often."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import WAIT_SECONDS, ConcurrencyLimit
from t2i_service.errors import LinkRateLimitedError, NoRoomError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2i_service.observing.metrics import Metrics

# A picture is looked at more often than it is made: a page shows several, and is loaded again.
PER_LINK_A_MINUTE = 60
MAX_LINKS = 4096
# Images of one generation that are held at once. Whoever has its links and reads nothing keeps nobody from another's:
# however large they are, the provider's room for callers takes one more.
OF_ONE_GENERATION = 3
# For how long the next ones wait: a caller takes several slowly as well, and a browser does not ask again.
TURN_SECONDS = 60.0
# A host may send an image byte by byte, and each waits for the next.
FETCH_SECONDS = 60.0


class ImageLinks:
    """A link may be in anybody's hands, and each image is held whole until it is sent.

    How many bytes that may be is the provider's to bound, who sees how large an image is.
    """

    def __init__(self, metrics: Metrics, questions: Bucket) -> None:
        self._limit = ConcurrencyLimit(
            metrics, "image_links", "More images are asked for than can be passed on at once.", questions
        )
        self._buckets: OrderedDict[tuple[str, int], Bucket] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, generation_id: str, index: int) -> AsyncIterator[None]:
        """Hold one of the generation's turns, until the image is sent; raise `LinkRateLimitedError`."""
        self._admit(generation_id, index)
        turns = self._turns.setdefault(generation_id, asyncio.Semaphore(OF_ONE_GENERATION))
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await turns.acquire()
        except TimeoutError:
            raise LinkRateLimitedError(WAIT_SECONDS) from None
        try:
            yield
        finally:
            turns.release()

    @asynccontextmanager
    async def fetching(self, *, asks: bool) -> AsyncIterator[None]:
        """Hold a slot for `FETCH_SECONDS`; raise `OverloadedError` or `TimeoutError`."""
        try:
            async with self._limit.slot(asks=asks), asyncio.timeout(FETCH_SECONDS):
                yield
        except NoRoomError:
            raise self._limit.overloaded() from None

    def _admit(self, generation_id: str, index: int) -> None:
        bucket = self._buckets.setdefault((generation_id, index), Bucket(PER_LINK_A_MINUTE))
        self._buckets.move_to_end((generation_id, index))
        if len(self._buckets) > MAX_LINKS:
            self._buckets.popitem(last=False)
        if seconds := bucket.take():
            raise LinkRateLimitedError(seconds)
