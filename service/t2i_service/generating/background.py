"""Work that outlives its request: a cancel on its way, a followed generation. Nothing of it may be lost or leak."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from t2i_service.observing import logs

if TYPE_CHECKING:
    from collections.abc import Coroutine

log = logs.get()


class Background:
    """Holds each task until it has ended, and says so when it ended badly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def count(self, name: str) -> int:
        """Return how much work of this name is under way."""
        return sum(task.get_name() == name for task in self._tasks)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, *, watched: bool = False) -> asyncio.Task[Any]:
        """Start work that is waited for at shutdown; `watched` work has somebody else who takes its error."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if not watched:
            task.add_done_callback(_report)
        return task

    async def wait(self, seconds: float) -> None:
        """Wait for what is under way, and for what its end leaves to do: a cancel at the provider."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while self._tasks and (left := end - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)

    def cancel(self, name: str) -> None:
        """End all work of this name."""
        for task in self._tasks:
            if task.get_name() == name:
                task.cancel()

    async def drain(self, seconds: float) -> int:
        """Wait for what is under way; what is left after `seconds` is cancelled, and its number returned."""
        await self.wait(seconds)
        late = set(self._tasks)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)


def _report(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("Background work failed", work=task.get_name(), exc_info=error)
