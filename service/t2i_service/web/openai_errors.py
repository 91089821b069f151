"""Errors as the OpenAI API shapes them: the published clients build their exceptions from these fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/v1/"
# Our field names behind their parameters.
PARAMETERS = {"width": "size", "height": "size", "num_outputs": "n"}
CODES = {
    "unauthorized": "invalid_api_key",
    "unknown_model": "model_not_found",
    "rate_limited": "rate_limit_exceeded",
    "generation_refused": "content_policy_violation",
    "invalid_input": "invalid_value",
    "provider_refused_input": "invalid_value",
}


def openai_error(status: int, code: str, message: str, members: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
    """Return the status and the body; what is 422 here is 400 there."""
    param, code = _param_and_code(code, members)
    status = 400 if status == 422 else status
    body = {"message": message, "type": _type_of(status), "param": param, "code": code}
    return status, {"error": body}


def _param_and_code(code: str, members: Mapping[str, object]) -> tuple[str | None, str]:
    if code == "unknown_model":
        return "model", CODES[code]
    errors = members.get("errors")
    if isinstance(errors, list) and errors:
        field = str(errors[0]["field"])
        if errors[0].get("unknown"):
            return field, "unknown_parameter"
        return PARAMETERS.get(field, field), CODES.get(code, code)
    return ("prompt" if code == "generation_refused" else None), CODES.get(code, code)


def _type_of(status: int) -> str:
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"
