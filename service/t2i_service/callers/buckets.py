"""So many a minute, of this pod alone."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Bucket:
    """Token bucket: a minute's worth may be taken in one burst."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_minute / 60
        self._size = float(per_minute)
        self._clock = clock
        self._left = self._size
        self._at = clock()

    def take(self, count: int = 1) -> float:
        """Take so many and return 0; when they are not all there, take none, and return after how many seconds."""
        now = self._clock()
        self._left = min(self._size, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < count:
            return (count - self._left) / self._rate
        self._left -= count
        return 0.0

    def put_back(self, count: int = 1) -> None:
        """Put back what was taken in vain."""
        self._left += count
