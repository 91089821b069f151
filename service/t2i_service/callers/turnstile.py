"""A way through for a few tasks in each turn of the event loop: docs/decisions/0061 says what for."""

from __future__ import annotations

import asyncio
from collections import deque

WIDTH = 8


class Turnstile:
    """Lets `WIDTH` tasks go on in a turn of the loop, in order of arrival.

    All that is ready runs before the loop looks at its sockets again, so a crowd that may go on at once keeps a probe
    waiting for as long as the whole crowd takes.
    """

    def __init__(self) -> None:
        self._passed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def through(self) -> None:
        """Wait for a turn of the loop that has room."""
        loop = asyncio.get_running_loop()
        if self._passed == WIDTH:
            turn = loop.create_future()
            self._waiting.append(turn)
            await turn
            return
        if not self._passed:
            loop.call_soon(self._turn)
        self._passed += 1

    def _turn(self) -> None:
        self._passed = 0
        while self._waiting and self._passed < WIDTH:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._passed += 1
        if self._passed:
            asyncio.get_running_loop().call_soon(self._turn)
