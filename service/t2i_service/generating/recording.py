"""What a generation leaves behind for those who watch: span, metrics and two log lines, all with the same ids."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from t2i_service.errors import ServiceError
from t2i_service.generating.outcomes import cost_of, outcome_of
from t2i_service.observing import logs
from t2i_service.observing import telemetry as names
from t2i_service.observing.spans import Kind
from t2i_service.providers.upstream_errors import UpstreamInputError

if TYPE_CHECKING:
    from t2i_service.generating.generation import Generation
    from t2i_service.observing.context import RequestContext
    from t2i_service.observing.metrics import Metrics
    from t2i_service.observing.privacy import Privacy
    from t2i_service.observing.spans import Span
    from t2i_service.offer.models_config import Model
    from t2i_service.providers.base import Prediction
    from t2i_service.tracing.langtrace import LangTrace

# Of a model's span alone: no outcome, as what is left running has not ended.
LEFT_RUNNING = "abandoned"

log = logs.get()


class Recorder:
    """Turns what happens to a generation into telemetry."""

    def __init__(self, metrics: Metrics, privacy: Privacy, langtrace: LangTrace | None = None) -> None:
        self._langtrace = langtrace
        self._metrics = metrics
        self._privacy = privacy

    def began(self, run: Generation, context: RequestContext) -> None:
        """Say that a generation starts; what it waited so far is its duration so far."""
        context.prompts = (run.task.prompt, run.task.negative_prompt)
        context.generation_logged = True
        run.shown = self._privacy.shown(run.task.prompt)
        context.span.set({names.PROMPT: run.shown, names.MODEL: run.task.model.name})
        waited = round(time.perf_counter() - run.started, 4)
        log.info("Image generation started", prompt=run.shown, duration=waited, model=run.task.model.name)

    def waited(self, run: Generation, context: RequestContext) -> None:
        """Show the wait for a slot in the trace, when there was one."""
        if run.queue_seconds:
            span = context.span.child(names.SPAN_QUEUE)
            span.start_ns -= int(run.queue_seconds * 1e9)
            span.end()

    def model_span(self, run: Generation, context: RequestContext) -> Span:
        """Start the span of the provider's call."""
        task, provider = run.task, run.provider
        attributes: dict[str, Any] = {
            names.REQUEST_ID: context.request_id,
            names.GEN_AI_OPERATION: "generate_content",
            names.GEN_AI_OUTPUT_TYPE: "image",
            names.GEN_AI_PROVIDER: provider.name,
            names.GEN_AI_REQUEST_MODEL: task.model.name,
            names.GEN_AI_REQUEST_SEED: task.seed,
            names.GEN_AI_REQUEST_COUNT: task.num_outputs,
            names.SERVER_ADDRESS: provider.address,
        }
        name = names.model_span_name(provider.name, task.model.name)
        return context.span.child(name, Kind.CLIENT, attributes)

    def prediction_created(self, context: RequestContext, created: Prediction) -> None:
        """Say how a generation stands whose request is answered, and its span ended, before it has ended itself."""
        context.span.set({names.STATUS: created.status.value})

    def model_answered(self, run: Generation, error: BaseException | None) -> None:
        """End the span of the provider's call."""
        span, model, ended = run.span, run.task.model, run.prediction
        status = LEFT_RUNNING if run.is_left_by(error) else outcome_of(error).value
        attributes: dict[str, Any] = {names.DURATION: run.provider_seconds, names.STATUS: status}
        if run.prediction_id:
            attributes[names.GEN_AI_RESPONSE_ID] = run.prediction_id
        if ended:
            attributes[names.GEN_AI_RESPONSE_MODEL] = model.version if run.provider.name == "replicate" else model.name
            attributes[names.POLL_GAP_SECONDS] = ended.poll_gap_seconds
            if ended.predict_seconds is not None:
                attributes[names.PREDICT_SECONDS] = ended.predict_seconds
            if cost := cost_of(model.price, ended):
                attributes[names.GEN_AI_COST_AMOUNT] = float(cost.amount)
                attributes[names.GEN_AI_COST_CURRENCY] = cost.currency
            for kind, count in (ended.tokens or {}).items():
                attributes[names.GEN_AI_TOKENS[kind]] = count
        span.set(attributes)
        self.failed(run, span, error)
        span.end()
        if self._langtrace:
            self._langtrace.record(span, run.task, run.shown)
        # A create that is refused takes milliseconds, and what runs on has not ended.
        if run.prediction_id and not run.is_left_by(error):
            self._metrics.model_duration.labels(model.name).observe(run.provider_seconds, run.exemplar)

    def failed(self, run: Generation, span: Span, error: BaseException | None) -> None:
        """Put an error's kind and text on a span; a caller that has left is none."""
        if error is not None and outcome_of(error) is not names.Outcome.CANCELED:
            span.fail(type_of(error), self._text(run, error))

    def ended(self, run: Generation, context: RequestContext, error: BaseException | None) -> None:
        """Count a generation's end, whatever it is, and say it."""
        outcome, model, metrics = outcome_of(error), run.task.model, self._metrics
        metrics.generations.labels(outcome.value).inc()
        # What never ran took no time: beside it, all pictures could be slow and none of those who watch would see it.
        if run.has_run and not isinstance(error, UpstreamInputError):
            context.generation_ran = True
            metrics.generation_duration.observe(run.total_seconds, run.exemplar)
        metrics.model_generations.labels(model.name, run.provider.name, outcome.value).inc()
        if run.prediction:
            self.charged(model, run.prediction)
            metrics.poll_gap.labels(model.name).observe(run.prediction.poll_gap_seconds)
        self._request_ended(run, context, error)
        line = {"prompt": run.shown, "duration": round(run.total_seconds, 4), "model": model.name}
        if error is None:
            log.info("Image generation completed", **line, status=outcome.value)
            self._missed(run)
            return
        say, why = log.error if outcome is names.Outcome.ERROR else log.warning, self._text(run, error)
        say(f"Image generation {_WORDS[outcome]}", **line, status=outcome.value, code=type_of(error), error=why)

    def _missed(self, run: Generation) -> None:
        """Say that pictures are missing, which succeeds: a model may drop those that its safety check refuses."""
        asked, made = run.task.num_outputs, len(run.prediction.outputs) if run.prediction else 0
        if made < asked:
            ids = {"model": run.task.model.name, "prediction_id": run.prediction_id}
            log.warning("Fewer images than asked for", asked=asked, made=made, **ids)

    def _request_ended(self, run: Generation, context: RequestContext, error: BaseException | None) -> None:
        """Say it on the span of the request: of several predictions the first that is no success ended the others."""
        if context.generation_ended_ill:
            return
        context.generation_ended_ill, outcome = error is not None, outcome_of(error)
        context.span.set({names.DURATION: run.total_seconds, names.STATUS: outcome.value})
        if error is not None and outcome is names.Outcome.REFUSED:
            # A server's span fails when the server does; what the caller may mend is only told.
            context.span.set({names.ERROR_TYPE: type_of(error), names.ERROR: self._text(run, error)})
        else:
            self.failed(run, context.span, error)

    def abandoned(self, run: Generation) -> None:
        """Say that a stopping pod waits no more; what is followed runs on, and any replica can be asked for it."""
        self._metrics.abandoned.inc()
        model, runs_on = run.task.model.name, run.is_followed
        log.warning("Image generation abandoned", model=model, prediction_id=run.prediction_id, runs_on=runs_on)

    def charged(self, model: Model, ended: Prediction) -> None:
        """Count what the provider charges, whatever became of the prediction."""
        if cost := cost_of(model.price, ended):
            self._metrics.model_cost.labels(model.name, cost.currency).inc(float(cost.amount))
        for kind, count in (ended.tokens or {}).items():
            self._metrics.model_tokens.labels(model.name, kind).inc(count)

    def _text(self, run: Generation, error: BaseException | None) -> str:
        return self._privacy.told(error, (run.task.prompt, run.task.negative_prompt)) if error else ""


_WORDS = {names.Outcome.ERROR: "failed", names.Outcome.CANCELED: "canceled", names.Outcome.REFUSED: "refused"}


def type_of(error: BaseException) -> str:
    """Return a bounded word for an error: our own code, else its class."""
    return error.code if isinstance(error, ServiceError) else type(error).__name__
