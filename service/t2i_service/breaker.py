"""Stop asking a provider that fails every time, and let one request at a time find out when it is well again."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING

from t2i_service.errors import BreakerOpenError, GenerationTimedOutError
from t2i_service.upstream_errors import UpstreamError, UpstreamInputError, UpstreamThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_TO_OPEN = 10
OPEN_SECONDS = 15.0


class BreakerState(IntEnum):
    """The values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


def _is_providers(error: BaseException) -> bool:
    """Tell failures of the provider from a user's bad input and the rate limit; never answering is one."""
    if isinstance(error, UpstreamInputError | UpstreamThrottledError):
        return False
    return isinstance(error, UpstreamError | GenerationTimedOutError)


class Breaker:
    """One model's breaker.

    Calls take minutes: what began before it opened, or before the present trial, says nothing about how things stand
    now. So each call belongs to an epoch, and the opening and every trial begin a new one.
    """

    def __init__(self, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._model = model
        self._clock = clock
        self._failures = 0
        self._epoch = 0
        self._opened: float | None = None
        self._probing = False

    @property
    def state(self) -> BreakerState:
        """How it stands now; an open one becomes half open by time alone."""
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._opened + OPEN_SECONDS else BreakerState.HALF_OPEN

    def admit(self) -> int:
        """Return what `learn` needs to know of when the call began; raise `BreakerOpenError` while it is left alone."""
        if self._opened is None:
            return self._epoch
        left = self._opened + OPEN_SECONDS - self._clock()
        if left > 0 or self._probing:
            detail = f"{self._model} failed {self._failures} times in a row; it is tried again shortly."
            raise BreakerOpenError(detail, headers={"Retry-After": str(max(1, round(left)))})
        self._probing = True
        self._epoch += 1
        return self._epoch

    def learn(self, epoch: int, error: BaseException | None) -> None:
        """Take one call's end into account; what says nothing about the provider, or began too long ago, does not."""
        if epoch != self._epoch:
            return
        self._probing = False
        if error is None:
            self._failures, self._opened = 0, None
        elif _is_providers(error):
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._opened = self._clock()
                self._epoch += 1
