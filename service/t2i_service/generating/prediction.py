"""One prediction at its provider: created once, followed to its end, canceled when nobody waits for it."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from t2i_service.errors import GenerationTimedOutError, StoppingError
from t2i_service.generating.outcomes import error_of
from t2i_service.generating.together import all_of
from t2i_service.observing import logs
from t2i_service.observing import telemetry as names
from t2i_service.providers.upstream_errors import UpstreamError

if TYPE_CHECKING:
    from t2i_service.errors import ServiceError
    from t2i_service.generating.background import Background
    from t2i_service.generating.generation import Generation
    from t2i_service.generating.recording import Recorder
    from t2i_service.observing.context import RequestContext
    from t2i_service.offer.models_config import Model
    from t2i_service.providers.base import Prediction

log = logs.get()


class Predictions:
    """Runs the provider's part of a generation."""

    def __init__(self, recorder: Recorder, background: Background) -> None:
        self._recorder = recorder
        self._background = background

    async def predict(self, run: Generation, context: RequestContext, limit: asyncio.Timeout) -> None:
        """Create it, follow it to its end, and stop it whenever nobody waits for that end any more."""
        model, provider = run.task.model, run.provider
        deadline = asyncio.get_running_loop().time() + model.timeout_seconds
        started = time.perf_counter()
        error: BaseException | None = None
        run.span = self._recorder.model_span(run, context)
        create = self._background.spawn(provider.create(run.task, deadline), "create", watched=True)
        try:
            created = await _created(create, context)
            run.prediction_id = created.id
            if run.created:
                self._recorder.prediction_created(context, created)
                run.created.set_result(created)
            run.prediction = await provider.wait(model.name, created, deadline)
            # Its time-out would have ended the wait first: Replicate's clock is never ahead of ours.
            error = error_of(run.prediction, math.inf)
        except BaseException as raised:
            error = _meaning(raised, limit, model)
            if not run.is_left_by(error):
                told = create.done()
                create.cancel()
                self._background.spawn(self._cancel(run, create, deadline, told=told), "cancel")
            raise
        finally:
            run.provider_seconds = time.perf_counter() - started
            self._recorder.model_answered(run, error)
        if error:
            raise error

    async def _cancel(self, run: Generation, create: asyncio.Task[Prediction], deadline: float, *, told: bool) -> None:
        """Stop what costs money, as soon as it is known under which id it runs, and for as long as it may run."""
        await asyncio.wait([create])
        if create.cancelled():
            return
        if error := create.exception():
            if told:
                return
            log.warning("Prediction not created, and nobody waits for it", model=run.task.model.name, error=error)
            return
        model, prediction_id = run.task.model, create.result().id
        try:
            ended = await run.provider.cancel(model.name, prediction_id, deadline)
        except UpstreamError as trouble:
            not_canceled(model.name, prediction_id, trouble)
            return
        except asyncio.CancelledError:
            not_canceled(model.name, prediction_id, StoppingError())
            raise
        self._recorder.charged(model, ended)
        say, event = (log.info, "canceled") if ended.status.ended else (log.warning, "still running after its cancel")
        say(f"Prediction {event}", model=model.name, prediction_id=ended.id, ended_as=ended.status.value)

    async def fetch(self, run: Generation, context: RequestContext, limit: asyncio.Timeout) -> None:
        """Get its pictures."""
        if run.prediction is None:
            return
        started, model, prediction = time.perf_counter(), run.task.model, run.prediction
        span = context.span.child(names.SPAN_FETCH)
        try:
            fetches = (run.provider.fetch(model.name, prediction, index) for index in range(len(prediction.outputs)))
            run.images = await all_of(fetches)
        except BaseException as raised:
            self._recorder.failed(run, span, _meaning(raised, limit, model))
            raise
        finally:
            run.fetch_seconds = time.perf_counter() - started
            span.end()


def not_canceled(model: str, prediction_id: str, error: ServiceError) -> None:
    """Name to those who pay what runs on, and why; the error says it all, without a traceback."""
    trouble = {"model": model, "prediction_id": prediction_id, "code": error.code, "error": error}
    log.error("Prediction not canceled: it may go on costing money until its time-out", **trouble)


async def _created(create: asyncio.Task[Prediction], context: RequestContext) -> Prediction:
    """Wait for a create; unless it is known to have made nothing, its caller must not ask again."""
    nothing = False
    try:
        return await asyncio.shield(create)
    except UpstreamError as error:
        nothing = error.created_nothing
        raise
    finally:
        context.may_have_created |= not nothing


def _meaning(raised: BaseException, limit: asyncio.Timeout, model: Model) -> BaseException:
    """Return what a span should say: the limit cancels from inside, and tells why only further up, too late for it."""
    return timed_out(model) if limit.expired() and isinstance(raised, asyncio.CancelledError) else raised


def timed_out(model: Model) -> GenerationTimedOutError:
    """Return what a caller is told whose model took too long."""
    return GenerationTimedOutError(f"{model.name} took longer than {model.timeout_seconds:g} s.")
