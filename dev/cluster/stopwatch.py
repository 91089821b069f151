"""How long `up` took, and from how much: the bars of docs/performance.md differ by what was there already."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dev.cluster.paths import write
from dev.cluster.progress import clock

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster.paths import Layout
    from dev.cluster.progress import Progress

COLD, WARM, UP, PARTLY_UP = "cold", "warm", "already up", "partly up"


class Stopwatch:
    """Runs from its making; the last figures for each state that `up` can find are kept in `.local/up.json`."""

    def __init__(self, layout: Layout, progress: Progress) -> None:
        self._progress = progress
        self._started = time.monotonic()
        self._found = ""
        self._laps: dict[str, float] = {}
        self.figures: Path = layout.local / "up.json"

    def find(self, *, cluster: bool, sample: bool) -> None:
        """Name the state that was found, once everything that the sample needs is built."""
        built = bool(self._progress.built)
        if cluster:
            self._found = UP if sample and not built else PARTLY_UP
        else:
            self._found = COLD if built else WARM

    def lap(self, what: str) -> None:
        """Note when this was there, in seconds since the start."""
        self._laps[what] = time.monotonic() - self._started

    def report(self) -> str:
        """Keep the figures, and return the sentence that tells them."""
        builds = f" (builds: {len(self._progress.built)})" if self._progress.built else ""
        laps = ", ".join(f"{what} after {clock(seconds)}" for what, seconds in self._laps.items())
        self._keep()
        return f"Found {self._found}{builds}: {laps}. The figures are in {self.figures}."

    def _keep(self) -> None:
        kept = json.loads(self.figures.read_text()) if self.figures.exists() else {}
        kept[self._found] = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": _rounded(self._laps),
            "built": self._progress.built,
            "steps": _rounded(self._progress.took),
        }
        write(self.figures, json.dumps(kept, indent=1) + "\n")


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {what: round(took, 1) for what, took in seconds.items()}
