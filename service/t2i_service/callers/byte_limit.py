"""How many bytes may be held at once, in order of arrival: slots do not tell small from large."""

from __future__ import annotations

import asyncio
from collections import deque


class NoRoomError(Exception):
    """So many bytes are not free now."""

    def __init__(self, size: int) -> None:
        super().__init__(f"{size} bytes are not free now")
        self.size = size


class ByteLimit:
    """Weighted FIFO semaphore of bytes."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def fits(self, size: int) -> bool:
        """Whether so many more can be taken before those who wait; what is given back always can."""
        return size <= 0 or (not self._waiting and size <= self._free)

    def take(self, size: int) -> None:
        """Take what `fits`; less than nothing is given back."""
        self._free -= size
        self._admit()

    async def wait(self, size: int) -> None:
        """Take so many as soon as they are free."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            self.take(0 if turn.cancelled() else -size)
            raise

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][1].cancelled() or self._waiting[0][0] <= self._free):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._free -= size
                turn.set_result(None)


class Room:
    """What one holds of several limits: as much of each."""

    def __init__(self, *limits: ByteLimit) -> None:
        self._held = dict.fromkeys(limits, 0)

    def take(self, size: int) -> None:
        """Hold just so many bytes from now on; raise `NoRoomError` where they are not free."""
        if not all(limit.fits(size - held) for limit, held in self._held.items()):
            raise NoRoomError(size)
        for limit, held in self._held.items():
            self._held[limit] = size
            limit.take(size - held)

    async def wait(self, size: int) -> None:
        """Hold so many as soon as they are free, and nothing until then: none waits for another that waits."""
        self.take(0)
        for limit in self._held:
            await limit.wait(size)
            self._held[limit] = size

    @property
    def waits_for(self) -> ByteLimit | None:
        """The first of the limits of which nothing is held."""
        return next((limit for limit, held in self._held.items() if not held), None)
