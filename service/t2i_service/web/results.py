"""A generation as its caller sees it: from the run that has just ended, or from what its id and provider still know."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from t2i_service.callers.keyring import Reference
from t2i_service.generating.outcomes import Cost, cost_of, error_of
from t2i_service.observing.context import request_context
from t2i_service.providers.base import Prediction, Status, is_sandbox

if TYPE_CHECKING:
    from fastapi import Request

    from t2i_service.generating.generation import Generation
    from t2i_service.offer.models_config import Price
    from t2i_service.providers.base import Provider
    from t2i_service.state import State

KEPT_SECONDS = 3600


def id_of(run: Generation, state: State) -> str:
    """Return the id under which any replica finds this generation again."""
    context = request_context()
    prediction = run.known
    reference = Reference(
        model=run.task.model.name,
        provider=run.provider.name,
        prediction_id=prediction.id if prediction else "",
        outputs=run.task.num_outputs,
        trace_id=context.trace_id or "",
        span_id=run.span.span_hex if run.span.trace_id else "",
        request_id=context.request_id,
        expires=int(time.time()) + KEPT_SECONDS + (0 if run.prediction else int(run.task.model.timeout_seconds)),
        owner=context.key_id or "",
    )
    return state.keyring.id_of(reference)


def generation_url(state: State, generation_id: str, base: str = "") -> str:
    """Return where a generation can be asked for: below `publicURL`, else below `base`.

    Not below the path of `publicURL` alone: who asks in the cluster passes no proxy that takes it away.
    """
    return f"{str(state.settings.public_url or base).rstrip('/')}/generations/{generation_id}"


def image_url(request: Request, state: State, generation_id: str, index: int) -> str:
    """Return a link to one image that works without a key, for as long as the image is there."""
    base = generation_url(state, generation_id, str(request.base_url.replace(scheme=_scheme(request))))
    signature = state.keyring.signature(generation_id, index)
    return f"{base}/images/{index}?signature={signature}"


def _scheme(request: Request) -> str:
    """Return what the caller's address began with, as who ended TLS tells: links alone begin with it."""
    told = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return told if told in {"http", "https"} else request.url.scheme


def result_of(run: Generation, request: Request, state: State, *, links: bool) -> dict[str, Any]:
    """Return a run's result, its images inside or behind links."""
    context, generation_id = request_context(), id_of(run, state)
    prediction = run.known
    images = []
    for index, image in enumerate(run.images):
        where = (
            {"url": image_url(request, state, generation_id, index)}
            if links
            else {"b64_json": base64.b64encode(image.data).decode()}
        )
        images.append(where | {"content_type": image.content_type, "width": image.width, "height": image.height})
    return {
        "id": generation_id,
        "request_id": context.request_id,
        "trace_id": context.trace_id,
        "trace_sampled": state.tracing.keeps(context.span),
        "status": prediction.status.value if prediction else Status.STARTING.value,
        "model": run.task.model.name,
        "provider": run.provider.name,
        "sandbox": is_sandbox(run.provider),
        "seed": run.task.seed,
        "num_outputs": run.task.num_outputs,
        "images": images,
        "timings": {
            "queue": run.queue_seconds,
            "predict": prediction.predict_seconds if prediction else None,
            "poll_gap": prediction.poll_gap_seconds if prediction else 0.0,
            "fetch": run.fetch_seconds,
            "total": run.total_seconds or time.perf_counter() - run.started,
        },
        "cost": _money(run.cost),
    }


@dataclass(frozen=True, slots=True)
class Found:
    """A generation that some replica has begun, found again by its id; `label` is what its model is counted as."""

    id: str
    reference: Reference
    provider: Provider
    label: str
    price: Price | None = None
    timeout_seconds: float | None = None


def state_of_generation(found: Found, prediction: Prediction, request: Request, state: State) -> dict[str, Any]:
    """Return what is known of a generation that some replica has begun."""
    reference = found.reference
    # One that succeeded has had its images; the provider removes them after an hour.
    failed = prediction.status.ended and prediction.status is not Status.SUCCEEDED
    error = error_of(prediction, found.timeout_seconds) if failed else None
    detail = state.privacy.told(error, prediction.prompts) if error else ""
    return {
        "id": found.id,
        "request_id": reference.request_id,
        "trace_id": reference.trace_id or None,
        "status": prediction.status.value,
        "model": reference.model,
        "provider": reference.provider,
        "sandbox": reference.provider == "sandbox",
        "seed": prediction.seed,
        "num_outputs": reference.outputs,
        "images": [{"url": image_url(request, state, found.id, index)} for index in range(len(prediction.outputs))],
        "timings": {"predict": prediction.predict_seconds},
        "cost": _money(cost_of(found.price, prediction)),
        "error": {"code": error.code, "detail": detail} if error else None,
    }


def _money(cost: Cost | None) -> dict[str, Any] | None:
    return {"amount": float(cost.amount), "currency": cost.currency} if cost else None
