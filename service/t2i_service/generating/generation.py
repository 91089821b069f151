"""From a task to pictures: a slot, one deadline, and an account of every way out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from t2i_service.errors import ServiceError, StoppingError
from t2i_service.generating.breaker import BreakerState
from t2i_service.generating.outcomes import Cost, cost_of
from t2i_service.generating.prediction import Predictions, timed_out
from t2i_service.generating.together import all_of
from t2i_service.observing.context import request_context
from t2i_service.observing.spans import NO_SPAN, Span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from t2i_service.generating.admission import Admission
    from t2i_service.generating.background import Background
    from t2i_service.generating.breaker import Breaker
    from t2i_service.generating.recording import Recorder
    from t2i_service.observing.context import RequestContext
    from t2i_service.offer.models_config import Model
    from t2i_service.offer.tasks import Task
    from t2i_service.providers.base import Image, Prediction, Provider

FOLLOW = "follow"


@dataclass(slots=True, eq=False)
class Generation:
    """One generation while it runs and when it is done; times are seconds.

    It `is_followed` once its caller has been told its id and may ask any replica for it. What else its request asks for
    waits until the way `is_clear`. It `has_run` when a slot and the breaker have let it pass.
    """

    task: Task
    provider: Provider
    started: float
    exemplar: dict[str, str] | None = None
    shown: str = ""
    span: Span = NO_SPAN
    prediction_id: str = ""
    created: asyncio.Future[Prediction] | None = None
    follow: asyncio.Task[ServiceError | None] | None = None
    is_followed: bool = False
    has_run: bool = False
    is_clear: asyncio.Event = field(default_factory=asyncio.Event)
    prediction: Prediction | None = None
    images: list[Image] = field(default_factory=list)
    queue_seconds: float = 0.0
    provider_seconds: float = 0.0
    fetch_seconds: float = 0.0
    total_seconds: float = 0.0

    @property
    def known(self) -> Prediction | None:
        """Its prediction as far as is known: how it ended, else how it was created."""
        return self.prediction or (self.created.result() if self.created else None)

    @property
    def cost(self) -> Cost | None:
        """What it costs, as far as is known."""
        return cost_of(self.task.model.price, self.prediction)

    def is_left_by(self, error: BaseException | None) -> bool:
        """Whether this end is none of the prediction's: a stopping pod follows it no more, and it runs on."""
        return self.is_followed and isinstance(error, asyncio.CancelledError)


class Generator:
    """Runs tasks against their providers."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        admission: Admission,
        recorder: Recorder,
        background: Background,
    ) -> None:
        self._providers = providers
        self._admission = admission
        self._recorder = recorder
        self._background = background
        self._predictions = Predictions(recorder, background)
        # Beside the generations, not in them: a time-out knows the task whose result its generation is, and such a ring
        # would keep pictures until the garbage collector comes.
        self._running: dict[Generation, asyncio.Timeout] = {}
        self._stopping = False
        self.breakers: dict[str, Breaker] = {}

    async def generate(self, task: Task) -> Generation:
        """Raise a `ServiceError`; a cancelled caller cancels the prediction too."""
        return await self._run(self._generation(task))

    async def generate_all(self, tasks: Sequence[Task]) -> list[Generation]:
        """Run all of one request's tasks as `generate` does; the first failure ends the others.

        The first alone queues, and is alone a breaker's trial: others that came beside it would be refused and take it
        with them. They follow once the way is clear, and then wait for a slot as long as it takes: longer, where slots
        are few, than a route or a stopping pod waits for any request.
        """
        first, *others = (self._generation(task) for task in tasks)

        async def lead() -> Generation:
            run = await self._run(first)
            run.is_clear.set()
            return run

        async def follow(run: Generation) -> Generation:
            await first.is_clear.wait()
            return await self._run(run, patient=True)

        return await all_of([lead(), *map(follow, others)])

    async def begin(self, task: Task) -> Generation:
        """Return as soon as the prediction is created, and follow it to its end in the background."""
        run = self._generation(task)
        run.created = asyncio.get_running_loop().create_future()
        run.follow = self._background.spawn(self._follow(run), FOLLOW)
        try:
            await asyncio.wait((run.follow, run.created), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            run.follow.cancel()
            raise
        if not run.created.done():
            raise run.follow.result() or AssertionError("a generation ended before it began")
        run.is_followed = True
        return run

    def withdraw(self, run: Generation) -> None:
        """End what was begun, when its caller cannot be told its id after all."""
        run.is_followed = False
        if run.follow:
            run.follow.cancel()

    def stop(self) -> None:
        """Give up what callers still wait for, so that each gets an answer and nothing paid for is left running.

        Nothing begins any more: of a request whose body arrives now, the prediction could not even be canceled.
        """
        self._stopping = True
        for run, patience in self._running.items():
            if not run.is_followed:
                patience.reschedule(0)

    def abandon(self) -> None:
        """Follow no more; who has been told an id may ask any replica for it."""
        self._background.cancel(FOLLOW)

    async def _follow(self, run: Generation) -> ServiceError | None:
        try:
            await self._run(run)
        except ServiceError as error:
            return error
        return None

    def _generation(self, task: Task) -> Generation:
        context = request_context()
        return Generation(task, self._providers[task.model.provider], context.started, context.exemplar)

    async def _run(self, run: Generation, *, patient: bool = False) -> Generation:
        context = request_context()
        self._recorder.began(run, context)
        self._running[run] = patience = asyncio.timeout(None)
        error: BaseException | None = None
        try:
            self._check(run.task.model)
            async with patience, self._admission.slot(patient=patient) as run.queue_seconds:
                self._recorder.waited(run, context)
                await self._within_deadline(run, context)
        except TimeoutError:
            error = StoppingError()
            self._recorder.abandoned(run)
            raise error from None
        except BaseException as raised:
            error = raised
            raise
        finally:
            del self._running[run]
            run.total_seconds = time.perf_counter() - run.started
            self._record_end(run, context, error)
        return run

    def _check(self, model: Model) -> None:
        """Refuse what would be refused behind the queue as well."""
        if self._stopping:
            raise StoppingError
        self.breakers[model.name].check()

    def _record_end(self, run: Generation, context: RequestContext, error: BaseException | None) -> None:
        if run.is_left_by(error):
            self._recorder.abandoned(run)
        else:
            self._recorder.ended(run, context, error)

    async def _within_deadline(self, run: Generation, context: RequestContext) -> None:
        model = run.task.model
        breaker = self.breakers[model.name]
        call = breaker.admit()
        run.has_run = context.generation_began = True
        if breaker.state is BreakerState.CLOSED:
            run.is_clear.set()
        error: BaseException | None = None
        try:
            async with asyncio.timeout(model.timeout_seconds) as limit:
                await self._predictions.predict(run, context, limit)
                if run.created is None:
                    await self._predictions.fetch(run, context, limit)
        except TimeoutError:
            error = timed_out(model)
            raise error from None
        except BaseException as raised:
            error = raised
            raise
        finally:
            breaker.learn(call, error)
