"""How long a resource's failures may pass before people are told of them.

An API server that restarts says nothing about pods that run: a verdict that fell and rose again would page somebody.
"""

import time
from collections.abc import Callable, Sequence

from t2i_operator.errors import ApiError
from t2i_operator.naming import Key

LASTING_SECONDS = 120.0


class Patience:
    """Remembers since when a resource's passes fail in a row for what may end by itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failing_since: dict[Key, float] = {}

    def note(self, key: Key, errors: Sequence[Exception]) -> None:
        """Take what one pass met with; a pass without such a failure ends the row."""
        if any(map(transient, errors)):
            self._failing_since.setdefault(key, self._clock())
        else:
            self.forget(key)

    def holds(self, key: Key, errors: Sequence[Exception]) -> bool:
        """Tell whether to wait in silence."""
        since = self._failing_since.get(key, self._clock())
        return any(map(transient, errors)) and self._clock() - since < LASTING_SECONDS

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource."""
        self._failing_since.pop(key, None)


def transient(error: Exception) -> bool:
    """Tell whether an error may end by itself; a bug does not."""
    return isinstance(error, ApiError) and error.transient
