"""When to ask again: seldom while nothing can have happened, often when the end is near."""

from __future__ import annotations

from collections import deque

SHORTEST = 0.1
# While nothing is known of a model: the provider takes five calls a create, and eight seconds would be fifty polls.
SHORTEST_AT_FIRST = 0.5
LONGEST = 2.0
UNTIL_FIRST = 10.0
SHARE = 0.05
REMEMBERED = 16
# Timers may fire a millisecond early, and a poll just before the end costs a whole pause more.
SLACK = 0.005


class Pace:
    """Adaptive poll interval.

    It learns from the last durations of one model; the gap it leaves is about a twentieth of the wait.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=REMEMBERED)
        self._first = 0.0
        self._shortest = SHORTEST_AT_FIRST

    def learn(self, seconds: float) -> None:
        """Remember how long a prediction took from create to end."""
        self._recent.append(seconds)
        self._first = _first_poll(sorted(self._recent))
        self._shortest = SHORTEST

    def next_delay(self, elapsed: float) -> float:
        """Return how long to wait, `elapsed` seconds after the create."""
        if elapsed < self._first:
            return min(self._first - elapsed, UNTIL_FIRST)
        return min(max(elapsed * SHARE, self._shortest), LONGEST)


def _first_poll(durations: list[float]) -> float:
    """Return when to ask first: where most durations are alike at the end of those, else before the shortest.

    Durations that are alike need a single poll so, and the others keep the gap that they would have without history.
    """
    shortest, median = durations[0], durations[len(durations) // 2]
    if median > shortest * (1 + SHARE):
        return shortest * (1 - SHARE)
    return max(seconds for seconds in durations if seconds <= shortest * (1 + SHARE / 2)) + SLACK
