"""What Replicate answers when it does not do what it is asked, as the error that says so."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from t2i_service.providers import upstream_errors as errors

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_THROTTLE_SECONDS = 5.0

_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?")
_RESETS_IN = re.compile(r"resets in ~?(\d+(?:\.\d+)?)\s*s")
_BY_STATUS: dict[int, tuple[type[errors.UpstreamError], str]] = {
    401: (
        errors.UpstreamUnauthorizedError,
        "The provider refuses the service's token: whoever runs the service has to check REPLICATE_API_TOKEN.",
    ),
    402: (
        errors.UpstreamCreditError,
        "The provider's account has no credit left: whoever runs the service has to buy some.",
    ),
    404: (errors.UpstreamNotFoundError, "The provider does not know this model or prediction."),
}


class Reply(NamedTuple):
    """An answer of the API, whole."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def refusal(reply: Reply, *, of_create: bool) -> errors.UpstreamError:
    """Return the error; only who creates can mend the input, and only there is it known whose prompt may be quoted."""
    status = reply.status
    if known := _BY_STATUS.get(401 if status == 403 else status):
        return known[0](known[1])
    if status == 429:
        return errors.UpstreamThrottledError(_throttled_for(reply))
    title, detail = _problem(reply) if of_create else ("", "")
    if status == 422 and "version" in title.lower():
        return errors.UpstreamVersionError(f"The provider does not know this version of the model: {detail}")
    if status in {400, 422}:
        return errors.UpstreamInputError(detail or "The model does not take this input.")
    if status >= 500:
        return errors.UpstreamServerError(f"The provider answered {status} {title}".rstrip() + ".")
    error = errors.UpstreamAnswerError(f"The provider answered {status}, which its API does not have.")
    # 408 is a time-out somewhere on the way, which says nothing about what came of the request.
    error.created_nothing = 400 <= status < 500 and status != 408
    return error


def _problem(reply: Reply) -> tuple[str, str]:
    """Return title and detail of an RFC 7807 object; an HTML page of some proxy has neither."""
    try:
        body = msgspec.json.decode(reply.content)
    except msgspec.MsgspecError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return errors.capped(str(body.get("title") or "")), errors.capped(str(body.get("detail") or ""))


def _throttled_for(reply: Reply) -> float:
    for name in ("retry-after", "ratelimit-reset"):
        if (seconds := _seconds(reply.headers.get(name, ""))) is not None:
            return seconds
    found = _RESETS_IN.search(_problem(reply)[1])
    return float(found[1]) if found else DEFAULT_THROTTLE_SECONDS


def _seconds(value: str) -> float | None:
    """Read a number of seconds or, as RFC 9110 also has it, a date."""
    if _NUMBER.fullmatch(value):
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
