"""Polling that is quiet while nothing can have happened and quick at the end."""

from __future__ import annotations

import random

from t2i_service.providers.pace import LONGEST, SHARE, SHORTEST, SHORTEST_AT_FIRST, SLACK, Pace


def polls(pace: Pace, duration: float) -> list[float]:
    """Return when a prediction of this duration is asked about, up to the poll that sees its end."""
    moments = [pace.next_delay(0)]
    while moments[-1] < duration:
        moments.append(moments[-1] + pace.next_delay(moments[-1]))
    return moments


def taught(*durations: float) -> Pace:
    pace = Pace()
    for seconds in durations:
        pace.learn(seconds)
    return pace


def test_without_history_the_gap_stays_a_small_share() -> None:
    for duration in (0.5, 5.0, 30.0, 100.0):
        gap = polls(Pace(), duration)[-1] - duration
        assert gap <= max(SHORTEST_AT_FIRST, min(SHARE * duration, LONGEST)) + 1e-9


def test_a_model_that_nothing_is_known_of_is_not_hammered() -> None:
    assert len(polls(Pace(), 8.0)) <= 20
    assert len(polls(Pace(), 120.0)) <= 100


def test_history_saves_most_polls() -> None:
    assert len(polls(taught(9.0, 8.0, 10.0), 8.2)) <= 3
    assert len(polls(Pace(), 8.2)) > 15


def test_a_model_that_always_takes_as_long_is_asked_once_and_at_once() -> None:
    for duration in (0.5, 2.0, 8.0):
        assert polls(taught(*[duration] * 3), duration) == [duration + SLACK]
    assert len(polls(taught(30.0), 30.0)) == 3


def test_durations_that_are_nearly_alike_need_one_poll_and_leave_a_smaller_gap() -> None:
    chance, pace, counts, gaps = random.Random(1), Pace(), [], []  # noqa: S311 - chance, not a secret
    for _ in range(1000):
        duration = chance.gauss(8.0, 0.08)
        asked = polls(pace, duration)
        counts.append(len(asked))
        gaps.append((asked[-1] - duration) / duration)
        pace.learn(duration)
    assert sum(counts) / len(counts) < 1.5
    assert sorted(gaps)[500] < SHARE / 2
    assert max(gaps) < SHARE * 1.1 + SHORTEST / 8


def test_one_cold_start_or_one_quick_picture_does_not_spoil_it() -> None:
    assert len(polls(taught(8.0, 8.0, 60.0, 8.0), 8.0)) == 1
    assert len(polls(taught(8.0, 8.0, 4.0, 8.0), 4.0)) <= 3


def test_durations_of_two_kinds_are_asked_before_the_shorter() -> None:
    pace = taught(*[4.0, 8.0] * 8)
    assert pace.next_delay(0) < 4.0
    assert polls(pace, 8.0)[-1] - 8.0 <= SHARE * 8.0
