"""How many bytes may be held at once, in order of arrival: slots do not tell small from large."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from t2i_service.errors import NoRoomError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# Half of what is had for an image that a link leads to: who gets room still has the other half to fetch it.
WAIT_SECONDS = 30.0


class ByteLimit:
    """Weighted FIFO semaphore of bytes.

    What one holds is asked for all at once, so that none waits for another that waits.
    """

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def held(self, size: int) -> AsyncIterator[None]:
        """Hold so many bytes, or all there are where that is fewer; raise `NoRoomError` after `WAIT_SECONDS`."""
        size = min(size, self._most)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._admit()
        try:
            await _in_time(turn)
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._free += size
            self._admit()

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= size
                turn.set_result(None)


async def _in_time(turn: asyncio.Future[None]) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await turn
    except TimeoutError:
        raise NoRoomError("Too much waits to be sent.") from None
