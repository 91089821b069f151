"""What became of a generation: any replica answers, because the id says all that is needed."""

import asyncio
from functools import partial
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from t2i_service.callers.byte_limit import Room
from t2i_service.callers.image_links import FETCH_SECONDS, ImageRoom
from t2i_service.callers.keyring import ANYBODY, Anybody, Reference
from t2i_service.errors import (
    CLIENT_CLOSED_REQUEST,
    BadSignatureError,
    NotCancellableError,
    OverloadedError,
    ProviderNotConfiguredError,
    ServiceError,
    UnauthorizedError,
    UnknownImageError,
)
from t2i_service.generating.prediction import not_canceled
from t2i_service.observing.context import request_context
from t2i_service.observing.telemetry import OTHER
from t2i_service.offer.api import GenerationResult
from t2i_service.offer.models_config import Model
from t2i_service.providers.base import Image, Prediction, Status, is_sandbox
from t2i_service.providers.upstream_errors import OutputGoneError, UpstreamCutError, UpstreamError
from t2i_service.routes.answers import drawn_by, json_response, unless_client_leaves
from t2i_service.state import State, state_of
from t2i_service.web.results import Found, state_of_generation

T = TypeVar("T")

ONE_HOUR = "private, max-age=3600, immutable"


def add_to(app: FastAPI) -> None:
    """Add these routes."""
    known: dict[int | str, dict[str, Any]] = {200: {"model": GenerationResult}}
    image: dict[int | str, dict[str, Any]] = {
        200: {"content": {name: {} for name in ("image/png", "image/jpeg", "image/webp")}}
    }
    for path, route, methods, responses, summary in (
        ("/generations/{generation_id}", read, ["GET"], known, "Ask how a generation stands"),
        ("/generations/{generation_id}/cancel", cancel, ["POST"], known, "Stop a generation"),
        ("/generations/{generation_id}/images/{index}", picture, ["GET"], image, "Get one of its images"),
    ):
        app.add_api_route(
            path, route, methods=methods, responses=responses, summary=summary, tags=["images"], response_model=None
        )


async def read(request: Request, generation_id: str) -> Response:
    """Tell its status, and where its images are."""
    state = state_of(request)
    found = _found(state, generation_id)
    prediction = await unless_client_leaves(request, _read(state, found))
    if prediction is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return _told(found, prediction, request, state)


async def cancel(request: Request, generation_id: str) -> Response:
    """Stop it, so that it costs no more; one that has ended stays as it is.

    Who leaves meanwhile wanted it stopped all the same.
    """
    state = state_of(request)
    found = _found(state, generation_id)
    if is_sandbox(found.provider):
        raise NotCancellableError("The sandbox draws when a picture is asked for; nothing runs until then.")
    canceling = state.background.spawn(_canceled(state, found), "cancel")
    ended = await unless_client_leaves(request, _shielded(canceling))
    if ended is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if isinstance(ended, ServiceError):
        raise ended
    return _told(found, ended, request, state)


def _told(found: Found, prediction: Prediction, request: Request, state: State) -> Response:
    return json_response(state_of_generation(found, prediction, request, state), headers=drawn_by(found.provider))


async def picture(request: Request, generation_id: str, index: int, signature: str = "") -> Response:
    """Serve one image to whoever holds its link."""
    state = state_of(request)
    if not state.keyring.is_signed(generation_id, index, signature):
        raise BadSignatureError("Use the link exactly as it was given.")
    return _PassedOn(state, _found(state, generation_id, anybody=True), index)


class _PassedOn(Response):
    """An image that is fetched and sent in one turn: whoever reads nothing would else hold any number of them whole."""

    def __init__(self, state: State, found: Found, index: int) -> None:
        super().__init__()
        self._state = state
        self._found = found
        self._index = index

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await unless_client_leaves(Request(scope, receive), self._pass_on(send))

    async def _pass_on(self, send: Send) -> None:
        async with self._state.image_links.followed(self._found.id, self._index) as room:
            image = await _image(self._state, self._found, self._index, room)
            await _send(send, image, {"Cache-Control": ONE_HOUR, **drawn_by(self._found.provider)})


async def _send(send: Send, image: Image, headers: dict[str, str]) -> None:
    """Send it, and wait until nearly all of it is taken: the second part waits for the first."""
    start = Response(image.data, media_type=image.content_type, headers=headers)
    await send({"type": "http.response.start", "status": start.status_code, "headers": start.raw_headers})
    await send({"type": "http.response.body", "body": image.data, "more_body": True})
    await send({"type": "http.response.body"})


async def _read(state: State, found: Found) -> Prediction:
    async with state.reads.slot(asks=not is_sandbox(found.provider)):
        return await _asked(found)


async def _canceled(state: State, found: Found) -> Prediction | ServiceError:
    """Return its error, which is in the log: who asked may have left, and nobody would take it."""
    name, prediction_id = found.reference.model, found.reference.prediction_id
    try:
        async with state.cancels.slot():
            return await found.provider.cancel(found.label, prediction_id)
    except (OverloadedError, UpstreamError) as error:
        not_canceled(name, prediction_id, error)
        return error


async def _shielded(task: asyncio.Task[T]) -> T:
    return await asyncio.shield(task)


async def _image(state: State, found: Found, index: int, room: ImageRoom) -> Image:
    fetch, asks = partial(_fetched, found, index, room), not is_sandbox(found.provider)
    try:
        return await state.image_links.fetched(room, fetch, asks=asks)
    except TimeoutError:
        state.metrics.upstream_errors.labels(found.label, UpstreamCutError.reason).inc()
        raise UpstreamCutError(f"The image has not come within {FETCH_SECONDS:g} s.") from None


async def _fetched(found: Found, index: int, room: Room) -> Image:
    prediction = await _asked(found)
    if prediction.status is Status.SUCCEEDED and not prediction.outputs:
        raise OutputGoneError("The provider deletes images an hour after they are made.")
    count = len(prediction.outputs)
    if not 0 <= index < count:
        raise UnknownImageError(f"The generation is {prediction.status.value}, with {count} images.")
    image = await found.provider.fetch(found.label, prediction, index, room.take)
    room.take(len(image.data))  # no provider knows better before
    return image


async def _asked(found: Found) -> Prediction:
    prediction = await found.provider.get(found.label, found.reference.prediction_id)
    request_context().prompts = prediction.prompts
    return prediction


def _found(state: State, generation_id: str, *, anybody: bool = False) -> Found:
    owner = ANYBODY if anybody else owner_of_request(state)
    reference = state.keyring.reference_of(generation_id, owner)
    provider = next((each for each in state.providers.values() if each.name == reference.provider), None)
    if provider is None:
        raise ProviderNotConfiguredError(reference.provider)
    model = model_of(state, reference)
    if model is None:
        return Found(generation_id, reference, provider, OTHER)
    return Found(generation_id, reference, provider, model.name, model.price, model.timeout_seconds)


def model_of(state: State, reference: Reference) -> Model | None:
    """Return a generation's model, None where a pod with other models has begun it, as a rollout has them side by side.

    Its price and time-out are then not known, and it is counted as `other`.
    """
    model = state.models.get(reference.model)
    return model if model and state.providers[model.provider].name == reference.provider else None


def owner_of_request(state: State) -> str | Anybody:
    """Return whose ids the caller may use: those of the key, or all where there are no keys."""
    if state.access.is_open:
        return ANYBODY
    if key_id := request_context().key_id:
        return key_id
    raise UnauthorizedError("This path needs an API key.")
