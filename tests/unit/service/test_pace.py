"""Polling that is quiet while nothing can have happened and quick at the end."""

from __future__ import annotations

from t2i_service.providers.pace import LONGEST, SHORTEST, Pace


def polls(pace: Pace, duration: float) -> list[float]:
    """Return when a prediction of this duration is asked about, up to the poll that sees its end."""
    moments = [pace.next_delay(0)]
    while moments[-1] < duration:
        moments.append(moments[-1] + pace.next_delay(moments[-1]))
    return moments


def test_without_history_the_gap_stays_a_small_share() -> None:
    for duration in (0.5, 5.0, 30.0, 100.0):
        gap = polls(Pace(), duration)[-1] - duration
        assert gap <= max(SHORTEST, min(0.05 * duration, LONGEST)) + 1e-9


def test_history_saves_most_polls() -> None:
    fresh, taught = Pace(), Pace()
    for seconds in (9.0, 8.0, 10.0):
        taught.learn(seconds)
    assert len(polls(taught, 8.2)) <= 3
    assert len(polls(fresh, 8.2)) > 15
