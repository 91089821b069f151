"""What callers ask for beside generations is bounded: so much at once and a minute, so much that waits, for so long."""

from __future__ import annotations

import asyncio
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2i_service.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2i_service.callers.buckets import Bucket
    from t2i_service.observing.metrics import Metrics

AT_ONCE = 16
MAX_WAITING = 128
WAIT_SECONDS = 10.0
# Of the 3,000 that Replicate takes of an account beside creates: what one caller asks must leave polls their share.
QUESTIONS_A_MINUTE = 1000
# As many as it takes creates: apart from the others, so that what costs money can be stopped however much is asked.
CANCELS_A_MINUTE = 600


class ConcurrencyLimit:
    """A bounded semaphore (bulkhead) for one kind of question.

    Who gets no slot is counted by `reason` and told `detail`; who comes when `questions` is empty is counted likewise.
    """

    def __init__(self, metrics: Metrics, reason: str, detail: str, questions: Bucket) -> None:
        self._questions = questions
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._rejected = metrics.rejected.labels(reason)
        self._detail = detail

    @asynccontextmanager
    async def slot(self, *, asks: bool = True) -> AsyncIterator[None]:
        """Hold one of the slots, and take a question where the provider is asked; raise `OverloadedError`."""
        if self._waiting >= MAX_WAITING:
            raise self.overloaded()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise self.overloaded() from None
        finally:
            self._waiting -= 1
        try:
            # Only now: who gets no slot has asked nothing.
            if asks and (seconds := self._questions.take()):
                raise self.overloaded("More is asked of the provider than it can be asked in a minute.", seconds)
            yield
        finally:
            self._free.release()

    def overloaded(self, detail: str = "", after: float = 0.0) -> OverloadedError:
        """Count a refusal and return it."""
        self._rejected.inc()
        return OverloadedError(detail or self._detail, headers={"Retry-After": str(math.ceil(after or WAIT_SECONDS))})
