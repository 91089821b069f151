"""Around every request: its id and span, its key and rate, the queue, the limit of its body, its metrics and log line.

Pure ASGI, outermost, and the only such layer. What leaks elsewhere is settled here: gauges go down in `finally`, labels
come from route templates, and a client that has left is seen because nothing stands between `receive` and the route.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.routing import Match

from t2i_service.callers.turnstile import Turnstile
from t2i_service.errors import CLIENT_CLOSED_REQUEST, ServiceError
from t2i_service.observing import logs
from t2i_service.observing.context import RequestContext, current, exemplar_for, request_id_from
from t2i_service.observing.telemetry import (
    GENERATION_ENDPOINTS,
    HTTP_METHOD,
    HTTP_ROUTE,
    HTTP_STATUS,
    METHODS,
    OTHER,
    QUIET_ENDPOINTS,
    REQUEST_ID,
    SPANS_BY_PATH,
    UNMATCHED,
    URL_PATH,
    span_name,
    span_path,
)
from t2i_service.web.body_limit import limited, most_bytes
from t2i_service.web.problems import answer_to, error_of_http

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Message, Receive, Scope, Send

    from t2i_service.state import State


ACCEPTED = 202

log = logs.get()


class Middleware:
    """An ASGI application around the application."""

    def __init__(self, app: FastAPI, state: State) -> None:
        self._app = app
        self._state = state
        self._metrics = state.metrics
        self._turnstile = Turnstile()
        # Limits stay while the service runs: of a models file that changes, only the sandbox's knobs are taken over.
        self._most_bytes = most_bytes(state.models)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is not HTTP passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        context = self._context(scope)
        token = current.set(context)
        quiet = scope["path"] in QUIET_ENDPOINTS
        if not quiet:
            self._metrics.active_requests.inc()
        answer = _Answer(send, context.request_id, self._state)
        try:
            self._let_in(scope, context)
            if not quiet:
                await self._turnstile.through()
            await self._app(scope, limited(scope, receive, self._most_bytes), answer.send)
        except ServiceError as error:
            # Nothing has led it to its route, where all others are counted.
            routes = (route for route in self._app.routes if route.matches(scope)[0] is not Match.NONE)
            scope["route"] = next(routes, None) if is_plain(scope) else None
            await answer_to(scope["path"], error, self._state.privacy)(scope, receive, answer.send)
        except Exception as error:
            # It has been answered already; what is left is to tell those who run the service.
            context.span.fail(type(error).__name__, self._state.privacy.told(error, context.prompts))
            log.exception("Request failed", method=scope["method"], code=ServiceError.code)
        finally:
            if not quiet:
                self._metrics.active_requests.dec()
            if not context.generation_began:
                self._state.access.put_back(context.key_id, context.taken_from_rate)
            self._record(scope, context, answer.status, quiet=quiet)
            current.reset(token)

    def count_unread(self, status: int) -> None:
        """Count what was answered before it could be read; nobody knows how long it took."""
        self._metrics.http_children(OTHER, UNMATCHED, status)[0].inc()

    def _context(self, scope: Scope) -> RequestContext:
        request_id = traceparent = authorization = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                request_id = value
            elif name == b"traceparent":
                # Which of two would be meant, nobody can tell.
                traceparent = value if traceparent is None else b""
            elif name == b"authorization":
                authorization = value
        return RequestContext(request_id_from(request_id), time.perf_counter(), authorization, traceparent)

    def _let_in(self, scope: Scope, context: RequestContext) -> None:
        """Admit the caller; whom the keys do not know says neither which trace it joins nor that it is kept."""
        if not is_plain(scope):
            raise error_of_http(404, "Not Found")
        access = self._state.access
        try:
            context.key_id = access.admit(scope["path"], context.authorization)
        finally:
            is_known = access.is_open or context.key_id is not None
            self._start_span(scope, context, context.traceparent if is_known else None)
        if scope["path"] in GENERATION_ENDPOINTS and scope["method"] == "POST":
            access.take(context.key_id)
            context.taken_from_rate = 1

    def _start_span(self, scope: Scope, context: RequestContext, traceparent: bytes | None) -> None:
        if name := span_name(scope["path"]):
            path = span_path(scope["path"])
            attributes = {REQUEST_ID: context.request_id, HTTP_METHOD: scope["method"], URL_PATH: path}
            span = context.span = self._state.tracing.tracer.start(name, traceparent, attributes)
            # The span begins where the request's duration does.
            span.start_ns -= int((time.perf_counter() - context.started) * 1e9)
            context.trace_id, context.span_id = span.trace_hex, span.span_hex
            if span.sampled:
                context.exemplar = exemplar_for(context.trace_id, context.request_id)

    def _record(self, scope: Scope, context: RequestContext, status: int, *, quiet: bool) -> None:
        seconds = time.perf_counter() - context.started
        endpoint = getattr(scope.get("route"), "path", None) or (
            scope["path"] if scope["path"] in SPANS_BY_PATH else UNMATCHED
        )
        method = scope["method"] if scope["method"] in METHODS else OTHER
        counter, histogram = self._metrics.http_children(method, endpoint, status)
        counter.inc()
        if context.key_id and scope.get("route"):
            self._state.access.count(context.key_id)
        # An answer without waiting for a picture would make the latency of those with one look better than it is.
        if endpoint not in GENERATION_ENDPOINTS or (context.generation_ran and status != ACCEPTED):
            histogram.observe(seconds, context.exemplar)
        if not context.generation_logged:
            say = log.debug if quiet else log.info
            say("Request served", method=method, endpoint=endpoint, status=status, duration=round(seconds, 4))
        if context.trace_id:
            context.span.set({HTTP_ROUTE: endpoint, HTTP_STATUS: status})
            if status >= 500:
                context.span.fail()
            context.span.end()


class _Answer:
    """Puts the request id on the answer and remembers its status.

    While the pod drains, each answer is a connection's last: what stays open would be cut when accepting ends.
    """

    __slots__ = ("_request_id", "_send", "_state", "status")

    def __init__(self, send: Send, request_id: str, state: State) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self._state = state
        self.status = CLIENT_CLOSED_REQUEST

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers: list[Any] = message.setdefault("headers", [])
            headers.append((b"x-request-id", self._request_id))
            if self._state.draining:
                headers.append((b"connection", b"close"))
        await self._send(message)


def is_plain(scope: Scope) -> bool:
    """Tell whether a path is to the router what it is to those who compare it as text, here and in proxies.

    A router's pattern ends before a newline at the end as well, and `/%6Detrics` leads to what is hidden as `/metrics`.
    """
    path: str = scope["path"]
    return path.isprintable() and (path not in QUIET_ENDPOINTS or b"%" not in scope.get("raw_path", b""))
