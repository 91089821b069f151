"""How much runs at once: a cap, a bounded queue in order of arrival, a limit on the wait; then an honest 503."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from t2i_service.errors import MOST_RETRY_AFTER, OverloadedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from t2i_service.observing.metrics import Metrics


class Admission:
    """Slots for generations; a slot that is given up goes to whoever has waited longest."""

    def __init__(self, max_in_flight: int, max_queued: int, max_queue_seconds: float, metrics: Metrics) -> None:
        self._free = max_in_flight
        self._max_queued = max_queued
        self._max_queue_seconds = max_queue_seconds
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._metrics = metrics
        # There from the start, as those of other slots are: what first appears with its first refusal shows no rate.
        self._rejected = {reason: metrics.rejected.labels(reason) for reason in ("queue_full", "queue_wait")}

    @asynccontextmanager
    async def slot(self, *, patient: bool = False) -> AsyncIterator[float]:
        """Hold a slot; yield for how many seconds it was waited for. Raise `OverloadedError` when there is none.

        Who is `patient` waits in the same order, without the limits: a refusal would waste what is paid for already.
        """
        waited = 0.0
        if self._free:
            self._free -= 1
        else:
            waited = await self._wait(patient=patient)
        self._metrics.in_flight.inc()
        self._metrics.queue_wait.observe(waited)
        try:
            yield waited
        finally:
            self._metrics.in_flight.dec()
            self._release()

    async def _wait(self, *, patient: bool) -> float:
        if not patient and len(self._waiting) >= self._max_queued:
            raise self._overloaded("queue_full", "The service is busy and its queue is full.")
        started, turn = time.monotonic(), asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._metrics.queued.inc()
        try:
            async with asyncio.timeout(None if patient else self._max_queue_seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._release()
            else:
                # A slot given up in the same turn of the loop has passed over it, and taken it out, already.
                with suppress(ValueError):
                    self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                limit = f"{self._max_queue_seconds:g} s"
                raise self._overloaded("queue_wait", f"No slot came free within {limit}.") from None
            raise
        finally:
            self._metrics.queued.dec()
        return time.monotonic() - started

    def _release(self) -> None:
        """Hand the slot over without ever counting it as free, so that nobody overtakes the queue."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _overloaded(self, reason: str, detail: str) -> OverloadedError:
        self._rejected[reason].inc()
        after = max(1, round(min(self._max_queue_seconds, MOST_RETRY_AFTER)))
        return OverloadedError(detail, headers={"Retry-After": str(after)})
