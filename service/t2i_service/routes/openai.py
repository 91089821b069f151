"""The OpenAI Images API, for clients that exist already: same names, same errors, our models."""

import base64
import re
import time
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Request
from fastapi.responses import Response
from pydantic import AfterValidator, Field

from t2i_service.errors import CLIENT_CLOSED_REQUEST, InvalidInputError, UnknownModelError
from t2i_service.generating.generation import Generation
from t2i_service.observing.context import request_context
from t2i_service.offer.api import GenerateRequest, Prompt, Sent, Text
from t2i_service.offer.models_config import Model
from t2i_service.offer.tasks import MAX_SEED, Task, resolve
from t2i_service.routes.answers import GENERATION_ID, drawn_by, json_response, unless_client_leaves
from t2i_service.state import State, state_of
from t2i_service.web.results import id_of, image_url

MAX_IMAGES = 10
_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")


def not_streamed(stream: bool) -> bool:
    """Refuse what would come in parts."""
    if stream:
        raise ValueError("must be false: images come whole")
    return stream


class ImagesRequest(Sent):
    """`images.generate` of the OpenAI clients; a value that cannot be honoured is refused, never ignored."""

    prompt: Prompt
    model: str | None = None
    n: Annotated[int, Field(ge=1, le=MAX_IMAGES)] | None = None
    size: str | None = None
    response_format: Literal["b64_json", "url"] | None = None
    quality: Literal["auto", "standard"] | None = None
    background: Literal["auto", "opaque"] | None = None
    moderation: Literal["auto"] | None = None
    output_format: Literal["png"] | None = None
    output_compression: Annotated[int, Field(ge=100, le=100)] | None = None
    partial_images: Annotated[int, Field(ge=0, le=0)] | None = None
    stream: Annotated[bool, AfterValidator(not_streamed), Field(json_schema_extra={"const": False})] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    # Ours, for `extra_body`.
    negative_prompt: Text | None = None
    seed: int | None = Field(default=None, ge=0, le=MAX_SEED)
    steps: int | None = Field(default=None, ge=1)
    guidance_scale: float | None = Field(default=None, ge=1, le=50)


def add_to(app: FastAPI) -> None:
    """Add these routes."""
    for path, route, methods, summary in (
        ("/v1/images/generations", generations, ["POST"], "Generate images (OpenAI Images API)"),
        ("/v1/models", models, ["GET"], "List the models (OpenAI API)"),
        ("/v1/models/{model_id}", model, ["GET"], "Describe one model (OpenAI API)"),
    ):
        app.add_api_route(path, route, methods=methods, summary=summary, tags=["openai"], response_model=None)


async def generations(request: Request, body: ImagesRequest) -> Response:
    """Generate `n` images; more than the model makes at once are several predictions.

    There are fewer in the answer where the model's safety check has refused some.
    """
    state = state_of(request)
    request_context().prompts = (body.prompt, body.negative_prompt or "")
    tasks = tasks_of(body, state)
    _take_from_rate(tasks, state)
    runs = await unless_client_leaves(request, state.generator.generate_all(tasks))
    if runs is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    links = body.response_format == "url"
    ids = [id_of(run, state) for run in runs]
    data = [item for run, own in zip(runs, ids, strict=True) for item in _images(run, own, request, state, links=links)]
    headers = {GENERATION_ID: ", ".join(ids), **drawn_by(runs[0].provider)}
    return json_response({"created": int(time.time()), "data": data}, headers=headers)


def tasks_of(body: ImagesRequest, state: State) -> list[Task]:
    """Split a request into as many tasks as the model needs, all of one model."""
    width, height = _size(body.size)
    wanted = body.n or 1
    ours = GenerateRequest(
        prompt=body.prompt,
        negative_prompt=body.negative_prompt,
        width=width,
        height=height,
        seed=body.seed,
        steps=body.steps,
        guidance_scale=body.guidance_scale,
        model=body.model,
    )
    chosen = resolve(ours, state.models).model
    most = chosen.limits.max_outputs
    tasks = []
    for first in range(0, wanted, most):
        seed = None if body.seed is None else (body.seed + first) % (MAX_SEED + 1)
        share = {"num_outputs": min(most, wanted - first), "model": chosen.name, "seed": seed}
        tasks.append(resolve(ours.model_copy(update=share), state.models))
    return tasks


def _take_from_rate(tasks: list[Task], state: State) -> None:
    """Take from the key's rate what each task after the first costs; refuse for good what no minute has room for."""
    a_minute, model = state.settings.requests_per_minute, tasks[0].model
    if a_minute and len(tasks) > a_minute:
        most = a_minute * model.limits.max_outputs
        reason = f"a key has {a_minute} generations of {model.limits.max_outputs} images a minute here"
        message, allowed = f"must be from 1 to {most}: {reason}", {"minimum": 1, "maximum": most}
        raise InvalidInputError([{"field": "n", "message": message, "allowed": allowed}])
    context, more = request_context(), len(tasks) - 1
    state.access.take(context.key_id, more)
    context.taken_from_rate += more


def _images(
    run: Generation, generation_id: str, request: Request, state: State, *, links: bool
) -> list[dict[str, str]]:
    if links:
        return [{"url": image_url(request, state, generation_id, index)} for index in range(len(run.images))]
    return [{"b64_json": base64.b64encode(image.data).decode()} for image in run.images]


def _size(size: str | None) -> tuple[int | None, int | None]:
    if size is None or size == "auto":
        return None, None
    found = _SIZE.fullmatch(size)
    if not found or min(int(found[1]), int(found[2])) < 64:
        message = "must be `auto` or `<width>x<height>` in pixels, at least 64x64"
        raise InvalidInputError([{"field": "size", "message": message}])
    return int(found[1]), int(found[2])


async def models(request: Request) -> Response:
    """List what `model` may name."""
    return json_response({"object": "list", "data": [_described(item) for item in state_of(request).models]})


async def model(request: Request, model_id: str) -> Response:
    """Describe one model."""
    state = state_of(request)
    found = state.models.get(model_id)
    if found is None:
        raise UnknownModelError(state.models.names)
    return json_response(_described(found))


def _described(item: Model) -> dict[str, Any]:
    return {"id": item.name, "object": "model", "created": 0, "owned_by": item.provider.lower()}
