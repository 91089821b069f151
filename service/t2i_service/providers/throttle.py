"""The account's rate limit: who hears of it hears for all, or each poll of a crowd would be refused by itself."""

from __future__ import annotations

import asyncio

# Replicate counts by the minute.
LONGEST_PAUSE = 60.0


class Throttle:
    """A pause of everybody who polls one account."""

    def __init__(self) -> None:
        self._until = 0.0

    def heard(self, seconds: float) -> None:
        """Hold all polls back for so long."""
        self._until = max(self._until, asyncio.get_running_loop().time() + seconds)

    def left(self) -> float:
        """Return for how many seconds it still holds, 0 when it does not."""
        return max(0.0, self._until - asyncio.get_running_loop().time())

    async def over(self, latest: float) -> None:
        """Wait for its end, which others may put off meanwhile, but not beyond `latest`, in the event loop's time."""
        now = asyncio.get_running_loop().time
        while (left := min(self._until, latest) - now()) > 0:  # noqa: ASYNC110 - others move the end, and the clock tells it
            await asyncio.sleep(left)
