"""When to ask again: seldom while nothing can have happened, often when the end is near."""

from __future__ import annotations

from collections import deque

SHORTEST = 0.1
LONGEST = 2.0
UNTIL_FIRST = 10.0
SHARE = 0.05
REMEMBERED = 16


class Pace:
    """Learns from the last durations of one model; the gap it leaves is about a twentieth of the wait."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=REMEMBERED)

    def learn(self, seconds: float) -> None:
        """Remember how long a prediction took from create to end."""
        self._recent.append(seconds)

    def next_delay(self, elapsed: float) -> float:
        """Return how long to wait, `elapsed` seconds after the create."""
        expected = min(self._recent, default=0.0)
        if elapsed < expected * 0.95:
            return min(expected * 0.95 - elapsed, UNTIL_FIRST)
        return min(max(elapsed * SHARE, SHORTEST), LONGEST)
