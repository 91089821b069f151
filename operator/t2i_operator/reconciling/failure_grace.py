"""How long a resource's failures may pass before people are told of them.

An API server that restarts says nothing about pods that run: a verdict that fell and rose again would page somebody.
"""

import time
from collections.abc import Callable, Sequence

from t2i_operator.known.faults import READY, Failure
from t2i_operator.kube.errors import transient
from t2i_operator.naming import Key

GRACE_SECONDS = 120.0


class FailureGrace:
    """Remembers since when a resource's passes fail in a row for what may end by itself, for each condition apart."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing_since: dict[Key, dict[str, float]] = {}

    def note(self, key: Key, failures: Sequence[Failure]) -> None:
        """Take what one pass met with; a pass without such a failure ends the row."""
        since, passing = self._failing_since.get(key, {}), _passing(failures)
        if passing:
            cut_short = since if READY in passing else {}  # of the others such a pass tells nothing
            self._failing_since[key] = {**cut_short, **{each: since.get(each, self._clock()) for each in passing}}
        else:
            self.forget(key)

    def in_grace(self, key: Key, failures: Sequence[Failure]) -> frozenset[str]:
        """Return the conditions that stay as they are stored, since their failure is young; with READY, all do."""
        since, now = self._failing_since.get(key, {}), self._clock()
        return frozenset(each for each in _passing(failures) if now - since.get(each, now) < GRACE_SECONDS)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource."""
        self._failing_since.pop(key, None)


def _passing(failures: Sequence[Failure]) -> set[str]:
    return {each.condition for each in failures if transient(each.error)}
