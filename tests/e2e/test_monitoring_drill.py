"""Every alert that can be made to fire, made to fire: see dev/stack/drill.py."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dev.cluster.paths import Layout
from dev.stack.drill import Drill
from dev.stack.drilled import ABSENT, COST, DOWN, MISBEHAVIOUR

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("cluster")
def test_alerts_go_pending_fire_reach_alertmanager_and_a_receiver_and_end(checkout: Path) -> None:
    subprocess.run([sys.executable, "-m", "dev.stack"], cwd=checkout, check=True)
    said: list[str] = []
    Drill(Layout.of_this_checkout(), said.append).run()
    story = "\n".join(said)
    for name in (*MISBEHAVIOUR, DOWN, ABSENT):
        assert f"{name}: resolved" in story, story
        assert "pending → firing → Alertmanager" in next(
            line for line in said if line.strip().startswith(f"{name}:")
        ), story
    for name in MISBEHAVIOUR:
        assert f"{name}: told to the receiver" in story, story
    assert "HighErrorRate: told that it is over" in story, story
    assert f"{COST}: firing → Alertmanager" in story, story
