"""Every error's answer, written in one place: an RFC 9457 problem document with the request id."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from t2i_service.errors import InvalidInputError, ServiceError
from t2i_service.observing.context import request_context
from t2i_service.offer.api import MOST_FIELDS
from t2i_service.offer.ranges import out_of_range, ranges
from t2i_service.state import state_of
from t2i_service.web.openai_errors import PREFIX as OPENAI_PREFIX
from t2i_service.web.openai_errors import openai_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

    from t2i_service.observing.privacy import Privacy

PROBLEM = "application/problem+json"
MAX_DETAIL_CHARACTERS = 1000
METHOD_NOT_ALLOWED = 405
MAX_ERRORS = 20
_encode = msgspec.json.Encoder(enc_hook=str).encode
# Python 3.13 renames this one; a code must not depend on the interpreter.
_PHRASES = {413: "Content Too Large", 422: "Unprocessable Content"}
_OUTSIDE = frozenset({"greater_than_equal", "less_than_equal"})
_CONSTRAINTS = ("ge", "gt", "le", "lt", "min_length", "max_length", "expected", "multiple_of")


def add_to(app: FastAPI) -> None:
    """Answer whatever is raised under `app`."""
    app.add_exception_handler(ServiceError, _service_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _bug)


async def _service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class
    return answer_to(request.url.path, error, state_of(request).privacy)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    if isinstance(error.body, bytes):  # It was not even looked into.
        return await _http_error(request, HTTPException(415, "Send JSON with `Content-Type: application/json`."))
    body = error.body if isinstance(error.body, dict) else {}
    allowed = ranges(state_of(request).models.limits_for(body.get("model")))
    errors = error.errors()
    told = [_field_error(item, allowed) for item in errors[:MAX_ERRORS]]
    more = len(errors) - len(told) + max(0, len(body) - MOST_FIELDS)
    return await _service_error(request, InvalidInputError(told, more))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    translated = error_of_http(error.status_code, str(error.detail), error.headers)
    if error.status_code == METHOD_NOT_ALLOWED:
        translated.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return await _service_error(request, translated)


def _methods(request: Request) -> set[str]:
    """Return what may be done at this path; the error names the methods of the first route alone, in any order."""
    routes = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in routes for method in route.methods}


async def _bug(request: Request, _error: Exception) -> Response:
    return await _service_error(request, ServiceError("It is logged under this request id; trying again may help."))


def error_of_http(status: int, detail: str, headers: Mapping[str, str] | None = None) -> ServiceError:
    """Return an error of HTTP's own, by HTTP's name for its status."""
    error = ServiceError(detail, headers=dict(headers or {}))
    error.status, error.title = status, _PHRASES.get(status) or HTTPStatus(status).phrase
    error.code = error.title.lower().replace(" ", "_").replace("-", "_")
    return error


def document(error: ServiceError, detail: str, request_id: str) -> bytes:
    """Return the problem document."""
    body = {
        "type": f"tag:texttoimage.dev,2026:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": detail,
        "code": error.code,
        "request_id": request_id,
        **error.members,
    }
    return _encode(body)


def answer_to(path: str, error: ServiceError, privacy: Privacy) -> Response:
    """Write an error's answer in the words of the API it was asked in, without a prompt that an upstream quoted."""
    context, headers = request_context(), dict(error.headers)
    detail = privacy.told(error, context.prompts)[:MAX_DETAIL_CHARACTERS]
    if context.may_have_created:
        headers["x-should-retry"] = "false"  # OpenAI's clients obey this: nobody should pay twice for one request.
    if path.startswith(OPENAI_PREFIX):
        status, content = openai_error(error.status, error.code, detail, error.members)
        return Response(_encode(content), status, headers, "application/json")
    return Response(document(error, detail, context.request_id), error.status, headers, PROBLEM)


def _field_error(item: dict[str, Any], allowed_of: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Name the field and what is allowed; what was sent is left out, it may be a prompt."""
    where = [str(part) for part in item["loc"] if part != "body"]
    if item["type"] == "json_invalid":
        return {"field": "body", "message": f"is not JSON: {item['ctx']['error']} at character {item['loc'][-1]}"}
    if item["type"] in _OUTSIDE and len(where) == 1 and where[0] in allowed_of:
        return out_of_range(where[0], allowed_of[where[0]])
    context = item.get("ctx") or {}
    allowed = {name: context[name] for name in _CONSTRAINTS if name in context}
    error: dict[str, object] = {"field": ".".join(where) or "body", "message": item["msg"]}
    if item["type"] == "extra_forbidden":
        error |= {"message": "is not a field of this request", "unknown": True}
    return error | ({"allowed": allowed} if allowed else {})
