"""The work queue: one entry a resource however many events ask for it, and never two workers on one resource.

The semantics are client-go's rate-limiting workqueue, which level-triggered controllers are written against.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")


class Queue(Generic[K]):
    """Coalesces, delays and retries keys; only usable inside a running event loop.

    What `may` says no to is held back until `release` finds that it says yes.
    """

    def __init__(
        self, *, base_seconds: float = 0.5, cap_seconds: float = 120.0, may: Callable[[K], bool] = lambda key: True
    ) -> None:
        self._base = base_seconds
        self._cap = cap_seconds
        self._may = may
        self._held: dict[K, None] = {}
        self._ready: deque[K] = deque()
        self._since: dict[K, float] = {}
        self._active: dict[K, bool] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._wake = asyncio.Event()

    @property
    def depth(self) -> int:
        """How many keys wait for a worker, or to be let through to one."""
        return len(self._ready) + len(self._held)

    @property
    def oldest_seconds(self) -> float:
        """How long the entry at the head has waited for a worker; what is held back is told of by a stream's age."""
        return asyncio.get_running_loop().time() - self._since[self._ready[0]] if self._ready else 0.0

    def add(self, key: K) -> None:
        """Ask for one more run that starts after this moment."""
        if key in self._active:
            self._active[key] = True
        elif not self._may(key):
            self._held[key] = None
        elif key not in self._since:
            self._since[key] = asyncio.get_running_loop().time()
            self._ready.append(key)
            self._wake.set()

    def release(self) -> None:
        """Let through what was held back and need not be any more."""
        held, self._held = self._held, {}
        for key in held:
            self.add(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Ask for a run later; of several such wishes the earliest holds."""
        loop = asyncio.get_running_loop()
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= loop.time() + seconds:
                return
            pending.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def retry(self, key: K, *, at_least: float = 0.0, cap_seconds: float | None = None) -> float:
        """Ask for a run after the key's own backoff, which doubles with each failure in a row; return it.

        `at_least` is what a server asked for, and is added to, so that not all come back at that moment.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        cap = self._cap if cap_seconds is None else min(self._cap, cap_seconds)
        ceiling = min(cap, self._base * 2 ** min(failures, 20))
        delay = at_least + random.uniform(ceiling / 2, ceiling)  # noqa: S311  (spreads load, guards nothing)
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: K) -> None:
        """Begin the next backoff from the start."""
        self._failures.pop(key, None)

    def forget(self, key: K) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._failures.pop(key, None)
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    async def get(self) -> K:
        """Wait for a key; `done` must be called with it."""
        while not self._ready:
            self._wake.clear()
            await self._wake.wait()
        key = self._ready.popleft()
        del self._since[key]
        self._active[key] = False
        return key

    def done(self, key: K) -> None:
        """Let the key be handed out again; at once when it was asked for meanwhile."""
        if self._active.pop(key):
            self.add(key)
