"""The request that the running task works for: what joins its log lines, its spans and its answer."""

from __future__ import annotations

import random
import re
import time
from contextvars import ContextVar
from dataclasses import dataclass

from t2i_service.observing.spans import NO_SPAN, Span

_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


@dataclass(slots=True)
class RequestContext:
    """Filled as the request is understood; `prompts` are whole, as only a sink knows how much of them may be shown."""

    request_id: str
    started: float
    authorization: bytes | None = None
    traceparent: bytes | None = None
    span: Span = NO_SPAN
    trace_id: str | None = None
    exemplar: dict[str, str] | None = None
    span_id: str | None = None
    prompts: tuple[str, ...] = ()
    key_id: str | None = None
    taken_from_rate: int = 0
    generation_logged: bool = False
    generation_began: bool = False
    generation_ran: bool = False
    generation_ended_ill: bool = False
    may_have_created: bool = False


current: ContextVar[RequestContext | None] = ContextVar("t2i_request", default=None)


def request_context() -> RequestContext:
    """Return the context that the middleware has set for every request."""
    context = current.get()
    if context is None:
        raise RuntimeError("no request is being served here")
    return context


def exemplar_for(trace_id: str, request_id: str) -> dict[str, str]:
    """Return the labels of an exemplar; together they stay under the 128 characters that OpenMetrics allows."""
    return {"trace_id": trace_id, "request_id": request_id}


def request_id_from(header: bytes | None) -> str:
    """Keep a caller's id when it is harmless to print, else make one that sorts by time, like the guide's."""
    if header and _ACCEPTED_ID.fullmatch(header):
        return header.decode()
    return f"{time.time():.3f}-{random.getrandbits(40):010x}"
