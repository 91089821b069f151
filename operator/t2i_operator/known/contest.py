"""Fields that another writer keeps changing back, and objects that somebody keeps deleting.

To fight on would write for ever, and hide from people who the other is.
"""

import time
from collections import deque
from collections.abc import Callable

from t2i_operator.known.identity import Id

WINDOW_SECONDS = 300.0
LIMIT = 3
# In the place of a field: the object as a whole, which is made again.
EXISTENCE = ""
# The object as a whole, which another operator of this kind writes: under our own name, so that no field tells.
RIVAL = "*"


class Contest:
    """Counts reverts per field; one reverted three times in five minutes is given up until the first is that old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._repairs: dict[Id, dict[str, deque[float]]] = {}

    def repaired(self, identity: Id, *fields: str) -> None:
        """Count one repair of each of the fields."""
        self._expire()
        repairs = self._repairs.setdefault(identity, {}) if fields else {}
        for field in fields:
            repairs.setdefault(field, deque(maxlen=LIMIT)).append(self._clock())

    def __contains__(self, identity: Id) -> bool:
        """Tell whether the object was repaired lately, so that it has to be looked at before it is written."""
        return identity in self._repairs

    def given_up(self, identity: Id) -> frozenset[str]:
        """Return the fields that have to be left to others for now."""
        return self._repaired(identity, LIMIT)

    def fought_over(self, identity: Id) -> frozenset[str]:
        """Return the fields that are given up, or would be at one more repair.

        Of two that fight, the one that gives up first leaves the other in possession, and perhaps without that repair.
        """
        return self._repaired(identity, LIMIT - 1)

    def _repaired(self, identity: Id, often: int) -> frozenset[str]:
        repairs = self._repairs.get(identity, {})
        return frozenset(
            field for field, times in repairs.items() if len(times) >= often and not self._old(times[-often])
        )

    def _old(self, moment: float) -> bool:
        return self._clock() - moment >= WINDOW_SECONDS

    def _expire(self) -> None:
        """Drop what no longer counts; repairs are rare, so that all of it may be looked at."""
        for identity, repairs in list(self._repairs.items()):
            for field, times in list(repairs.items()):
                if self._old(times[-1]):
                    del repairs[field]
            if not repairs:
                del self._repairs[identity]
