"""Predictions on Replicate, where every second costs money: nothing is created twice, nothing is left running."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from t2i_service.callers.turnstile import Turnstile
from t2i_service.observing import logs
from t2i_service.providers.base import Image, Prediction, Provider, ProviderName, Status, unbounded
from t2i_service.providers.pace import Pace
from t2i_service.providers.pictures import image_from
from t2i_service.providers.replicate_words import gap_of, inputs_of, prediction_from
from t2i_service.providers.throttle import LONGEST_PAUSE, Throttle
from t2i_service.providers.upstream_errors import (
    OutputRefusedError,
    UpstreamCutError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamUnreachableError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from t2i_service.observing.metrics import Metrics
    from t2i_service.offer.tasks import Task
    from t2i_service.providers.replicate_client import PredictionBody, ReplicateClient

T = TypeVar("T")

SHORTEST_DEADLINE = 5
FIRST_BACKOFF = 0.1
LONGEST_BACKOFF = 5.0
FETCH_SECONDS = 30.0
# Before its deadline a prediction whose polls are throttled is asked for once more, and its pictures are fetched.
LAST_SECONDS = 1.0
CANCEL_SECONDS = 15.0
CANCEL_POLL_SECONDS = 0.25

log = logs.get("app.replicate")


class ReplicateProvider(Provider):
    """Implements `Provider` over its HTTP API."""

    name: ProviderName = "replicate"

    def __init__(self, client: ReplicateClient, metrics: Metrics) -> None:
        self.address = client.address
        self._client = client
        self._metrics = metrics
        self._paces: dict[str, Pace] = defaultdict(Pace)
        self._turnstile = Turnstile()
        self._throttle = Throttle()

    @override
    async def create(self, task: Task, deadline: float) -> Prediction:
        body = {"version": task.model.version.rpartition(":")[2], "input": inputs_of(task)}

        async def once() -> Prediction:
            left = deadline - asyncio.get_running_loop().time()
            answer = await _to_its_end(self._client.create(body, max(SHORTEST_DEADLINE, math.ceil(left))))
            return prediction_from(answer, of_create=True)

        # Only what cannot have created anything is sent again.
        harmless = (UpstreamUnreachableError, UpstreamThrottledError)
        return await self._insist(task.model.name, once, deadline, harmless)

    @override
    async def wait(self, label: str, prediction: Prediction, deadline: float) -> Prediction:
        pace, started, prediction_id = self._paces[label], time.monotonic(), prediction.id
        asked = gap = 0.0

        async def poll() -> Prediction:
            nonlocal asked
            await self._throttle.over(deadline - LAST_SECONDS)
            await self._turnstile.through()
            asked = time.monotonic() - started
            return await _read(self._client.get(prediction_id))

        while not prediction.status.ended:
            before = asked
            await asyncio.sleep(pace.next_delay(time.monotonic() - started))
            prediction = await self._insist(label, poll, deadline, polls=True)
            gap = gap_of(prediction, before, asked)
        if prediction.status is Status.SUCCEEDED:
            pace.learn(asked - gap)
        return replace(prediction, poll_gap_seconds=gap)

    @override
    async def get(self, label: str, prediction_id: str) -> Prediction:
        if seconds := self._throttle.left():
            # What the account may still ask is for those who poll what is paid for.
            raise UpstreamThrottledError(math.ceil(seconds))
        deadline = asyncio.get_running_loop().time() + FETCH_SECONDS
        return await self._until(label, lambda: _read(self._client.get(prediction_id, for_caller=True)), deadline)

    @override
    async def cancel(self, label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        loop = asyncio.get_running_loop()
        deadline = max(deadline, loop.time() + CANCEL_SECONDS)
        prediction = await self._until(label, lambda: _read(self._client.cancel(prediction_id)), deadline)
        deadline = min(deadline, loop.time() + CANCEL_SECONDS)
        # It is accepted: who cannot see how it ends only does not know what it cost.
        with suppress(UpstreamError):
            while not prediction.status.ended and loop.time() + CANCEL_POLL_SECONDS < deadline:
                await asyncio.sleep(CANCEL_POLL_SECONDS)
                prediction = await self._until(label, lambda: _read(self._client.get(prediction_id)), deadline)
        return prediction

    @override
    async def fetch(
        self, label: str, prediction: Prediction, index: int, claim: Callable[[int], object] = unbounded
    ) -> Image:
        url = prediction.outputs[index]
        await self._turnstile.through()
        deadline = asyncio.get_running_loop().time() + FETCH_SECONDS
        return await self._insist(label, lambda: _seen(self._client.download(url, claim)), deadline)

    @override
    async def aclose(self) -> None:
        await self._client.aclose()

    async def _until(self, label: str, ask: Callable[[], Awaitable[T]], deadline: float) -> T:
        """Insist, and give up at the deadline what sends its answer byte by byte: no other time-out is around it."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._insist(label, ask, deadline)
        except TimeoutError:
            self._metrics.upstream_errors.labels(label, UpstreamCutError.reason).inc()
            raise UpstreamCutError("The provider's answer did not end in time.") from None

    async def _insist(
        self,
        label: str,
        ask: Callable[[], Awaitable[T]],
        deadline: float,
        worth: tuple[type[UpstreamError], ...] = (UpstreamError,),
        *,
        polls: bool = False,
    ) -> T:
        """Ask until there is an answer, an error that asking again cannot mend, or no time left for another try.

        `ask` also reads what comes: what cannot be read is an error to be counted like any other.
        What `polls` is not given up for a throttle: all who poll pause, and it is asked once more when its time ends.
        """
        backoff = FIRST_BACKOFF
        while True:
            try:
                return await ask()
            except UpstreamError as error:
                self._metrics.upstream_errors.labels(label, error.reason).inc()
                after = error.after if isinstance(error, UpstreamThrottledError) else 0.0
                pause = min(max(after, backoff), LONGEST_PAUSE)
                if polls and isinstance(error, UpstreamThrottledError):
                    pause = self._pause(pause, deadline)
                late = asyncio.get_running_loop().time() + pause >= deadline
                if late or _given_up() or not error.transient or not isinstance(error, worth):
                    raise
                log.warning("Upstream asked again", model=label, reason=error.reason, error=error)
                self._metrics.retries.labels(label, error.reason).inc()
            await asyncio.sleep(pause)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    def _pause(self, seconds: float, deadline: float) -> float:
        """Hold all polls back; return for how long this one waits: it is asked for once more before its time ends."""
        self._throttle.heard(seconds)
        left = deadline - LAST_SECONDS - asyncio.get_running_loop().time()
        return min(seconds, left) if left > 0 else seconds


async def _read(answer: Awaitable[PredictionBody]) -> Prediction:
    return prediction_from(await answer)


async def _seen(data: Awaitable[bytes]) -> Image:
    try:
        return image_from(await data)
    except ValueError as error:
        raise OutputRefusedError(f"What the provider sent is {error}.") from error


async def _to_its_end(sent: Coroutine[Any, Any, T]) -> T:
    """Await what cannot be taken back: cancelled once, it still returns what came of it."""
    work = asyncio.ensure_future(sent)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        return await work


def _given_up() -> bool:
    """Whether this very task has been cancelled, and only ends what it has begun."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
