"""Links to images need no key, so what they may cost is bounded: so many at once, and each so often a minute."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import ConcurrencyLimit
from t2i_service.errors import LinkRateLimitedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2i_service.observing.metrics import Metrics

# A picture is looked at more often than it is made: a page shows several, and is loaded again.
PER_LINK_A_MINUTE = 60
MAX_LINKS = 4096
# A host may send an image byte by byte, and a caller take it so, and each waits for the next.
TURN_SECONDS = 60.0


class ImageLinks:
    """A link may be in anybody's hands, and each image is held whole until it is sent.

    How many bytes are read at once is the provider's to bound, who sees how large an image is.
    """

    def __init__(self, metrics: Metrics, questions: Bucket) -> None:
        self._limit = ConcurrencyLimit(
            metrics, "image_links", "More images are asked for than can be passed on at once.", questions
        )
        self._buckets: OrderedDict[tuple[str, int], Bucket] = OrderedDict()

    @asynccontextmanager
    async def turn(self, generation_id: str, index: int, *, asks: bool = True) -> AsyncIterator[None]:
        """Hold a slot for `TURN_SECONDS`; raise `LinkRateLimitedError`, `OverloadedError` or `TimeoutError`."""
        self._admit(generation_id, index)
        async with self._limit.slot(asks=asks), asyncio.timeout(TURN_SECONDS):
            yield

    def _admit(self, generation_id: str, index: int) -> None:
        bucket = self._buckets.setdefault((generation_id, index), Bucket(PER_LINK_A_MINUTE))
        self._buckets.move_to_end((generation_id, index))
        if len(self._buckets) > MAX_LINKS:
            self._buckets.popitem(last=False)
        if seconds := bucket.take():
            raise LinkRateLimitedError(seconds)
