"""What a person sees while they wait: what is being done, n of m, and for how long."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

NARROW = 110


class Progress:
    """One line that changes in place on a terminal; elsewhere a line when a step ends, and one every half minute."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._total = 0
        self._done = 0
        self._running: dict[str, float] = {}
        # What no cache had, and how many seconds each step took.
        self.built: list[str] = []
        self.took: dict[str, float] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._ticker.start()

    def expect(self, steps: int) -> None:
        """Count what is going to be done; whoever does it says so beforehand."""
        with self._lock:
            self._total += steps

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show it while it runs, beside others, and count it when it is done."""
        started = time.monotonic()
        with self._lock:
            self._running[what] = started
            self._redraw()
        try:
            yield
        finally:
            with self._lock:
                del self._running[what]
                self._done += 1
                self.took[what] = time.monotonic() - started
                self._print(f"[{self._done}/{self._total}] {what} {clock(self.took[what])}")
                self._redraw()

    @contextmanager
    def building(self, what: str) -> Iterator[None]:
        """Show a step that is done once and then kept in a cache."""
        self.built.append(what)
        with self.step(f"building {what}"):
            yield

    def say(self, sentence: str) -> None:
        """Print something that stays."""
        with self._lock:
            self._print(sentence)
            self._redraw()

    def close(self) -> None:
        """Leave the terminal as the last printed line left it."""
        self._closed.set()
        self._ticker.join()
        with self._lock:
            self._clear()

    def _tick(self) -> None:
        while not self._closed.wait(0.5 if self._live else 30):
            with self._lock:
                if self._live:
                    self._redraw()
                elif self._running:
                    self._print(self._status())

    def _status(self) -> str:
        now = time.monotonic()
        running = " · ".join(f"{what} … {clock(now - started)}" for what, started in self._running.items())
        return f"[{self._done + 1}/{self._total}] {running}"

    def _print(self, line: str) -> None:
        self._clear()
        print(line, file=self._stream, flush=True)

    def _redraw(self) -> None:
        if self._live:
            self._clear()
            if self._running:
                self._stream.write(self._status()[:NARROW])
                self._stream.flush()

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r\033[K")


def clock(seconds: float) -> str:
    """`4s`, `2m10s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
