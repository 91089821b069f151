"""`POST /generate`: a prompt in, pictures out, now or later."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from t2i_service.errors import CLIENT_CLOSED_REQUEST, NotAcceptableError
from t2i_service.generating.generation import Generation
from t2i_service.observing.context import request_context
from t2i_service.offer.api import GenerateRequest, GenerationResult
from t2i_service.offer.tasks import Task, resolve
from t2i_service.routes.answers import GENERATION_ID, drawn_by, json_response, unless_client_leaves
from t2i_service.state import State, state_of
from t2i_service.web.results import generation_url, id_of, result_of

RESPOND_ASYNC = "respond-async"
# One that does not end goes to the header's end, or each of its quotes would be tried as a beginning.
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?')
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"model": GenerationResult, "content": {"image/png": {}}},
    202: {"model": GenerationResult, "description": "Begun; `Location` says where it can be asked for"},
}


def add_to(app: FastAPI) -> None:
    """Add this route."""
    app.add_api_route(
        "/generate",
        generate,
        methods=["POST"],
        summary="Generate images from a prompt",
        tags=["images"],
        response_model=None,
        responses=_RESPONSES,
    )


async def generate(request: Request, body: GenerateRequest) -> Response:
    """Draw what `prompt` says.

    `Accept: image/png` gets the picture itself; `Prefer: respond-async` gets an answer before there is one.
    """
    state = state_of(request)
    request_context().prompts = (body.prompt, body.negative_prompt or "")
    task = resolve(body, state.models)
    if prefers(request, RESPOND_ASYNC):
        return await _later(request, state, task)
    as_image = wants_image(request)
    if as_image and task.num_outputs > 1:
        raise NotAcceptableError(f"{task.num_outputs} images were asked for: ask for one, or accept application/json.")
    run = await unless_client_leaves(request, state.generator.generate(task))
    if run is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if as_image:
        return _image(run, state)
    result = result_of(run, request, state, links=body.response_format == "url")
    return json_response(result, headers={GENERATION_ID: result["id"], **drawn_by(run.provider)})


async def _later(request: Request, state: State, task: Task) -> Response:
    run = await unless_client_leaves(request, state.generator.begin(task), state.generator.withdraw)
    if run is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    result = result_of(run, request, state, links=True)
    headers = {
        "Location": generation_url(state, result["id"]),
        "Preference-Applied": RESPOND_ASYNC,
        GENERATION_ID: result["id"],
        **drawn_by(run.provider),
    }
    return json_response(result, 202, headers)


def prefers(request: Request, preference: str) -> bool:
    """Tell whether any `Prefer` header names it, in whatever case, beside others or with parameters (RFC 7240)."""
    items = ",".join(_QUOTED.sub("", value) for value in request.headers.getlist("prefer")).split(",")
    return preference in {re.split("[;=]", item, maxsplit=1)[0].strip().lower() for item in items}


def wants_image(request: Request) -> bool:
    """Only a client that asks for an image, and not for JSON, gets one."""
    accept = request.headers.get("accept", "")
    return "image/" in accept and "application/json" not in accept


def _image(run: Generation, state: State) -> Response:
    image = run.images[0]
    headers = {
        GENERATION_ID: id_of(run, state),
        "X-Model": run.task.model.name,
        "X-Seed": str(run.task.seed),
        **drawn_by(run.provider),
    }
    return Response(image.data, headers=headers, media_type=image.content_type)
