"""HTTP/1.1 as uvicorn reads it, for every caller's client and against those who send without end: docs/decisions/0063.

httptools takes all that follows an `Upgrade` for another protocol, and neither it nor uvicorn knows how long a request
takes to arrive or how large its head gets. All of it happens before there is a request, so no middleware can mend it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import httptools
from typing_extensions import override
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from t2i_service.observing import logs
from t2i_service.observing.context import request_id_from
from t2i_service.web.body_limit import ARRIVAL_SECONDS, BODY_ENDED
from t2i_service.web.problems import PROBLEM, document, error_of_http

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sized

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from t2i_service.web.middleware import Middleware

# What common proxies let through; of a head that is not whole, the packet in which it begins is not counted.
MOST_HEAD_BYTES = 32 * 1024
TOO_LARGE = f"A request head may have at most {MOST_HEAD_BYTES} bytes."
BEGUN = -1
# What may wait behind the request that is answered before no more is read, and so no end of the connection seen.
MOST_WAITING = 8
# What one packet may bring beside: it is read to its end.
MOST_AT_ONCE = 64
# How long a caller may take nothing of an answer that waits to be sent, and is whole in memory. What is seen is what
# the system takes: its buffer, of up to 4 MiB, takes no more until a good part of it has reached a slow caller.
TAKING_SECONDS = 300

log = logs.get()


class _Flow(FlowControl):
    """Reads nothing while too many wait, whoever would resume: uvicorn does with each answer and each `receive`."""

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    @override
    def resume_reading(self) -> None:
        if len(self._waiting) <= MOST_WAITING:
            super().resume_reading()


class Protocol(HttpToolsProtocol):
    """One connection; between two requests uvicorn's own keep-alive counts, and so it does before the first."""

    # The bytes so far of the head, or the trailers, that are being read; None while there is nothing of the kind.
    _lines: int | None = None
    _refused = False  # nothing more is read
    _reading = False  # a request has begun to arrive, and has not ended
    _due: asyncio.TimerHandle | None = None
    _answered: RequestResponseCycle | None = None  # the one that is answered, or was last
    _watch: asyncio.TimerHandle | None = None  # while more waits to be sent than uvloop likes

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._answered is not None and not self._answered.response_complete:
            # uvicorn tells the newest request alone, which may wait behind this one.
            self._answered.disconnected = True
            self._answered.message_event.set()
        self._unset_keepalive_if_required()
        if self._due is not None:
            self._due.cancel()
        self._watch_no_more()

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch_no_more()

    def _watch_taking(self) -> None:
        self._watch = self.loop.call_later(TAKING_SECONDS, self._look, self.transport.get_write_buffer_size())

    def _watch_no_more(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _look(self, waited: int) -> None:
        """Cut the connection of a caller who has taken nothing: closing it would wait for them just as long."""
        waits = self.transport.get_write_buffer_size()
        if waits < waited:
            self._watch_taking()
            return
        log.warning("Connection cut: its caller takes no more of the answer", bytes_left=waits)
        self.transport.abort()

    @override
    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._unset_keepalive_if_required()
        try:
            self._read(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # CONNECT alone changes the protocol without any header that says so.
            self._refuse(400, "What was sent is no HTTP request that can be read.")
            return
        if self._lines is not None:
            self._lines = 0 if self._lines == BEGUN else self._lines + len(data)
            if self._lines > MOST_HEAD_BYTES:
                self._refuse(431, TOO_LARGE)
                return
        self._await_more()

    def _await_more(self) -> None:
        """Wait for the rest of a request, or for the next one; not while an answer to a whole one is under way."""
        cycle = self.cycle
        idle = cycle is None or cycle.response_complete
        if self._reading and (idle or cycle.more_body):
            if self._due is None:
                self._due = self.loop.call_later(ARRIVAL_SECONDS, self._late)
        elif idle:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _read(self, data: bytes | memoryview) -> None:
        """Read a request that offers another protocol as if it did not: a server may ignore it (RFC 9110, 7.8)."""
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = memoryview(data)[offer.args[0] :]
            else:
                return
            head = self._head_without_offer()
            # The old one took the offer for a whole request, and for the connection's last where it says `close`.
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head)

    def _head_without_offer(self) -> bytes:
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        headers = [b"%s: %s\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"%s %s HTTP/%s\r\n%s\r\n" % (method, self.url, version, b"".join(headers))

    @override
    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._lines, self._reading = BEGUN, True

    @override
    def on_headers_complete(self) -> None:
        self._lines = None
        if not self.parser.should_upgrade():
            if len(self.pipeline) == MOST_AT_ONCE:
                self._refuse(429, f"No more than {MOST_AT_ONCE} requests may wait on one connection.")
                raise httptools.HttpParserError
            # One that comes in a single packet was begun and ended there, and counted nowhere else.
            if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
                self._refuse(431, TOO_LARGE)
                raise httptools.HttpParserError
            super().on_headers_complete()
            if self.pipeline:
                self.flow.resume_reading()

    @override
    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    def on_chunk_header(self) -> None:
        """Count from here on: behind the last chunk's come trailers."""
        self._lines = BEGUN

    @override
    def on_body(self, body: bytes) -> None:
        self._lines = None
        super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._lines = None
        if self.parser.should_upgrade():
            return
        self._reading = False
        super().on_message_complete()
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _late(self) -> None:
        self._due, cycle = None, self.cycle
        if self.pipeline:
            # Its answer has to wait for that of the one ahead.
            self._due = self.loop.call_later(ARRIVAL_SECONDS, self._late)
        elif cycle is None or cycle.response_complete:
            self.transport.close()
        else:
            self._end_body(
                cycle, 408, f"A request has {ARRIVAL_SECONDS} s to arrive; the end of its body has not come."
            )

    def _end_body(self, cycle: RequestResponseCycle, status: int, detail: str) -> None:
        """Have the request answered in its turn, as all others are; it is the connection's last."""
        cycle.scope[BODY_ENDED] = status, detail  # type: ignore[literal-required]
        cycle.keep_alive = False
        cycle.message_event.set()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, with an id made here where there is no request yet; nothing may be put into an answer under way."""
        if self._refused:
            return
        self._refused, cycle = True, self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            self._end_body(cycle, status, detail)
            return
        request_id = request_id_from(None)
        log.warning("Request refused", status=status, reason=detail, request_id=request_id)
        if cycle is None or cycle.response_complete:
            content = document(error_of_http(status, detail), detail, request_id)
            fields = (
                b"content-type: " + PROBLEM.encode(),
                b"content-length: %d" % len(content),
                b"x-request-id: " + request_id.encode(),
                b"connection: close",
            )
            self.transport.write(b"\r\n".join((STATUS_LINE[status].strip(), *fields, b"", content)))
            cast("Middleware", self.config.app).count_unread(status)
        self.transport.close()
