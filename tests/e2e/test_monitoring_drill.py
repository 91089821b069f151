"""Seven alerts made to fire, and how far each is followed: see dev/stack/drill.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.stack.drilled import ABSENT, COST, DOWN, MISBEHAVIOUR

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.timeout(1800)
def test_alerts_go_pending_fire_reach_alertmanager_and_a_receiver_and_end(fire_drill: Callable[[], str]) -> None:
    """It has begun with the first test of test_monitoring.py, if that is run too."""
    story = fire_drill()
    for name in (*MISBEHAVIOUR, DOWN, ABSENT):
        assert f"{name}: resolved" in story, story
        assert "pending → firing → Alertmanager" in next(
            line for line in story.splitlines() if line.strip().startswith(f"{name}:")
        ), story
    for name in MISBEHAVIOUR:
        assert f"{name}: told to the receiver" in story, story
    assert "HighErrorRate: told that it is over" in story, story
    assert f"{COST}: firing → Alertmanager" in story, story
