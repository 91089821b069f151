"""What callers ask for beside generations is bounded: so much at once, so much that waits, and for so long."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2i_service.errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2i_service.observing.metrics import Metrics

AT_ONCE = 16
MAX_WAITING = 128
WAIT_SECONDS = 10.0


class ConcurrencyLimit:
    """A bounded semaphore (bulkhead) for one kind of question.

    Who gets no slot is counted by `reason` and told `detail`.
    """

    def __init__(self, metrics: Metrics, reason: str, detail: str) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._rejected = metrics.rejected.labels(reason)
        self._detail = detail

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one of the slots; raise `OverloadedError`."""
        if self._waiting >= MAX_WAITING:
            raise self._overloaded()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            raise self._overloaded() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def _overloaded(self) -> OverloadedError:
        self._rejected.inc()
        return OverloadedError(self._detail, headers={"Retry-After": str(round(WAIT_SECONDS))})
