"""`POST /feedback`: what users think of an image, counted by model and told to LangTrace in the background."""

from typing import Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import Field

from t2i_service.observing import logs
from t2i_service.observing.telemetry import OTHER
from t2i_service.offer.api import Sent
from t2i_service.routes.answers import json_response
from t2i_service.routes.generations import model_of, owner_of_request
from t2i_service.state import state_of

EVALUATE = "evaluate"
MAX_WAITING = 100

log = logs.get()


class Feedback(Sent):
    """A thumb up or down for one generation."""

    generation_id: str
    rating: Literal["up", "down"]
    comment: str = Field(default="", max_length=1000)


def add_to(app: FastAPI) -> None:
    """Add this route."""
    app.add_api_route(
        "/feedback",
        feedback,
        methods=["POST"],
        status_code=202,
        summary="Say what you think of an image",
        tags=["images"],
        response_model=None,
    )


async def feedback(request: Request, body: Feedback) -> Response:
    """Count the rating, once an image; the comment goes to the log, as short as a prompt would."""
    state = state_of(request)
    reference = state.keyring.reference_of(body.generation_id, owner_of_request(state))
    if state.ratings.is_new(reference, body.rating):
        model = model_of(state, reference)
        state.metrics.feedback.labels(model.name if model else OTHER, body.rating).inc()
    comment = state.privacy.shown(body.comment)
    log.info(
        "Feedback received",
        model=reference.model,
        rating=body.rating,
        comment=comment,
        generation_request_id=reference.request_id,
        generation_trace_id=reference.trace_id,
    )
    if state.langtrace and reference.span_id:
        if state.background.count(EVALUATE) < MAX_WAITING:
            state.background.spawn(state.langtrace.evaluate(reference, body.rating), EVALUATE)
        else:
            log.warning("langtrace was not told the feedback", reason="too much is under way")
    return json_response({"status": "accepted"}, 202)
