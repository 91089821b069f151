"""Stop asking a provider that fails every time, and let one request at a time find out when it is well again."""

from __future__ import annotations

import time
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from t2i_service.errors import MOST_RETRY_AFTER, BreakerOpenError, GenerationFailedError, GenerationTimedOutError
from t2i_service.providers.upstream_errors import UpstreamError, UpstreamInputError, UpstreamThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_TO_OPEN = 10
OPEN_SECONDS = 15.0
# What is told to those who come during a trial.
SHORTEST_TRIAL, LONGEST_TRIAL = 5.0, MOST_RETRY_AFTER


class BreakerState(IntEnum):
    """The values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


def _is_providers(error: BaseException) -> bool:
    """Tell failures of the provider from a user's bad input and the rate limit: docs/decisions/0067."""
    if isinstance(error, UpstreamInputError | UpstreamThrottledError):
        return False
    return isinstance(error, UpstreamError | GenerationTimedOutError | GenerationFailedError)


class Call(NamedTuple):
    """When a call began, by the breaker's epoch and by the clock."""

    epoch: int
    began: float


class Breaker:
    """Circuit breaker of one model.

    Calls take minutes: what began before it opened, or before the present trial, says nothing about how things stand
    now. So each call belongs to an epoch, and the opening and every trial begin a new one. Of a model that
    `fails_by_chance`, as the sandbox is asked to, a prediction that fails says nothing either.
    """

    def __init__(
        self, model: str, clock: Callable[[], float] = time.monotonic, *, fails_by_chance: bool = False
    ) -> None:
        self._model = model
        self._clock = clock
        self._fails_by_chance = fails_by_chance
        self._failures = 0
        self._epoch = 0
        self._opened: float | None = None
        self._trial: Call | None = None
        self._took = 0.0

    @property
    def state(self) -> BreakerState:
        """How it stands now; an open one becomes half open by time alone."""
        if self._opened is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self._opened + OPEN_SECONDS else BreakerState.HALF_OPEN

    def check(self) -> None:
        """Raise `BreakerOpenError` while it is left alone; who would be refused need not queue for that."""
        if self._opened is not None and (left := self._left(self._clock(), self._opened)) > 0:
            detail = f"{self._model} failed {self._failures} times in a row; one request will be let through shortly."
            raise BreakerOpenError(detail, headers={"Retry-After": str(max(1, round(left)))})

    def admit(self) -> Call:
        """Return what `learn` needs to know of when the call began; raise as `check` does."""
        self.check()
        now = self._clock()
        if self._opened is None:
            return Call(self._epoch, now)
        self._epoch += 1
        self._trial = Call(self._epoch, now)
        return self._trial

    def _left(self, now: float, opened: float) -> float:
        """Return for how long it is left alone: while it is tried, until that may have ended, by the last success."""
        if self._trial:
            return min(max(self._trial.began + self._took - now, SHORTEST_TRIAL), LONGEST_TRIAL)
        return opened + OPEN_SECONDS - now

    def learn(self, call: Call, error: BaseException | None) -> None:
        """Take one call's end into account; what says nothing about the provider, or began too long ago, does not."""
        if call.epoch != self._epoch:
            return
        self._trial = None
        if error is None:
            self._failures, self._opened, self._took = 0, None, self._clock() - call.began
        elif _is_providers(error) and not (self._fails_by_chance and isinstance(error, GenerationFailedError)):
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._opened = self._clock()
                self._epoch += 1
