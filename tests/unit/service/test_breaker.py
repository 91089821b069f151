"""A breaker opens on a provider's failures alone, and one request finds out whether it is well again."""

from __future__ import annotations

import pytest
from t2i_service.errors import BreakerOpenError, GenerationFailedError, GenerationRefusedError
from t2i_service.generating.breaker import FAILURES_TO_OPEN, OPEN_SECONDS, Breaker, BreakerState
from t2i_service.providers.upstream_errors import UpstreamCutError, UpstreamInputError, UpstreamThrottledError


class Clock:
    """A clock that stands until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.learn(breaker.admit(), UpstreamCutError("cut"))


def test_it_opens_rests_tries_one_and_closes() -> None:
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    fail(breaker, FAILURES_TO_OPEN - 1)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 1)
    assert breaker.state is BreakerState.OPEN
    with pytest.raises(BreakerOpenError) as refused:
        breaker.admit()
    assert refused.value.headers == {"Retry-After": str(round(OPEN_SECONDS))}
    clock.now += OPEN_SECONDS
    assert breaker.state is BreakerState.HALF_OPEN
    trial = breaker.admit()
    with pytest.raises(BreakerOpenError):
        breaker.admit()
    breaker.learn(trial, None)
    assert breaker.state is BreakerState.CLOSED
    breaker.admit()


def test_who_only_looks_is_refused_likewise_and_tries_nothing() -> None:
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    breaker.check()
    fail(breaker, FAILURES_TO_OPEN)
    with pytest.raises(BreakerOpenError) as refused:
        breaker.check()
    assert refused.value.headers == {"Retry-After": str(round(OPEN_SECONDS))}
    clock.now += OPEN_SECONDS
    breaker.check()
    breaker.learn(breaker.admit(), None)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(
    ("took", "ago", "told"), [(None, 0, "5"), (40, 10, "30"), (40, 38, "5"), (40, 90, "5"), (110, 0, "60")]
)
def test_who_comes_during_a_trial_is_told_when_it_may_have_ended(took: int | None, ago: int, told: str) -> None:
    """By what the last success took; OpenAI's clients ask again at once for what is longer than a minute."""
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    if took is not None:
        call = breaker.admit()
        clock.now += took
        breaker.learn(call, None)
    fail(breaker, FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS
    breaker.admit()
    clock.now += ago
    with pytest.raises(BreakerOpenError) as refused:
        breaker.admit()
    assert refused.value.headers == {"Retry-After": told}


def test_a_trial_that_fails_opens_it_again() -> None:
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    fail(breaker, FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS
    fail(breaker, 1)
    assert breaker.state is BreakerState.OPEN


@pytest.mark.parametrize(
    "error", [UpstreamInputError("x"), UpstreamThrottledError(1), GenerationRefusedError("x"), KeyboardInterrupt()]
)
def test_what_is_not_the_providers_fault_is_not_held_against_it(error: BaseException) -> None:
    breaker = Breaker("sdxl")
    for _ in range(FAILURES_TO_OPEN * 2):
        breaker.learn(breaker.admit(), error)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(("by_chance", "state"), [(False, BreakerState.OPEN), (True, BreakerState.CLOSED)])
def test_predictions_that_fail_open_it_unless_they_are_asked_to(*, by_chance: bool, state: BreakerState) -> None:
    breaker = Breaker("sdxl", fails_by_chance=by_chance)
    for _ in range(FAILURES_TO_OPEN):
        breaker.learn(breaker.admit(), GenerationFailedError("CUDA out of memory"))
    assert breaker.state is state


def test_a_success_in_between_starts_the_count_again() -> None:
    breaker = Breaker("sdxl")
    for _ in range(3):
        fail(breaker, FAILURES_TO_OPEN - 1)
        breaker.learn(breaker.admit(), None)
    assert breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize("error", [None, UpstreamCutError("cut"), KeyboardInterrupt()])
def test_what_began_before_it_opened_changes_nothing(error: BaseException | None) -> None:
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    before = breaker.admit()
    fail(breaker, FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS - 1
    breaker.learn(before, error)
    assert breaker.state is BreakerState.OPEN
    clock.now += 1
    trial = breaker.admit()
    breaker.learn(before, error)
    assert breaker.state is BreakerState.HALF_OPEN
    with pytest.raises(BreakerOpenError):
        breaker.admit()
    breaker.learn(trial, None)
    fail(breaker, FAILURES_TO_OPEN - 1)
    breaker.learn(before, error)
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 1)
    assert breaker.state is BreakerState.OPEN


def test_a_trial_that_says_nothing_lets_another_try() -> None:
    clock = Clock()
    breaker = Breaker("sdxl", clock)
    fail(breaker, FAILURES_TO_OPEN)
    clock.now += OPEN_SECONDS
    first = breaker.admit()
    breaker.learn(first, KeyboardInterrupt())
    second = breaker.admit()
    breaker.learn(first, UpstreamCutError("late"))
    breaker.learn(second, None)
    assert breaker.state is BreakerState.CLOSED
