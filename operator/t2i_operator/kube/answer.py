"""What the API server answers, made fit to be decoded.

Kopf decodes lists and watches itself, and would be ended by one resource that is nested too deep, or by a dozen
that are too large, at every start again, by one line of a watch that is too long, or by an error in it that is not 410.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError

from t2i_operator.kube import nesting, oversize

if TYPE_CHECKING:
    from aiohttp.connector import Connection

log = structlog.get_logger(__name__)

# Bytes. etcd takes 1.5 MiB, and Go writes six bytes for a `<`; aiohttp's own iteration ends at twice its read buffer.
_LONGEST_LINE = 2**24
# Characters of an error in the log.
_LONGEST_WORDS = 500
# Before Kopf is told of one error after the other in its watch: it takes a second itself, and lists everything again.
_WAITS = (0.0, 1.0, 4.0, 9.0)
# How many those are so far; Kopf has a task for each watch.
_errors: ContextVar[int] = ContextVar("errors", default=0)
# Kopf asks at once for what has ended: what a proxy ends without a word must not be asked for in a loop. Nor is it
# alive if it errs that soon; what errs later was quiet, and is the first again.
_SHORT_SECONDS = 1.0


class Answer(aiohttp.ClientResponse):
    """A response whose JSON is nested no deeper than `nesting.DEEPEST` levels, read at once or in chunks.

    Nor is there anything in it that is too large (see `oversize`).
    """

    async def start(self, connection: "Connection") -> aiohttp.ClientResponse:
        """Have the lines of a watch pass through `_Lines`."""
        await super().start(connection)
        self._lines = _Lines(self.content)
        self.content = cast("aiohttp.StreamReader", self._lines)
        return self

    def if_it_errs(self, call: Callable[[], None]) -> None:
        """Have this be called where a watch that is read in chunks does nothing but err, and that soon."""
        self._lines.erred = call

    async def read(self) -> bytes:
        """Read the whole body; `json` and `text` take theirs from here."""
        if self._body is None:
            self._body = _fit(await super().read())
        return self._body


class TooLongError(Exception):
    """A body has more bytes than whoever reads it would hold."""


async def read(response: aiohttp.ClientResponse, most: float) -> bytes:
    """Read a body as `Answer.read` does, no further than that many bytes: those who list can ask for less."""
    content = bytearray()
    async for piece in response.content.iter_any():
        content += piece
        if len(content) > most:
            raise TooLongError
    return _fit(bytes(content))


class _Error(msgspec.Struct, tag_field="type", tag="ERROR"):
    """The event by which the API server ends a watch."""

    object: msgspec.Raw


class _Lines:
    """A stream of JSON lines; Kopf reads it in chunks and gets whole lines, made fit; we get them as they came.

    Where it cannot be read on, it ends with the 410 (Gone) of an expired resourceVersion: the watcher lists anew. For
    Kopf every error is that one, of which it does not end.
    """

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content
        self.erred: Callable[[], None] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while line := await self._content.readuntil(b"\n", max_size=_LONGEST_LINE):
                yield line
        except HttpProcessingError as error:
            yield _gone(f"the stream cannot be read on: {type(error).__name__}")

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        began, broken, line = time.monotonic(), None, b""
        try:
            async for line in self._fit_lines():
                yield line
        except aiohttp.ClientError as error:
            broken = error
        if not line:
            await asyncio.sleep(began + _SHORT_SECONDS - time.monotonic())
        if broken:
            raise broken

    async def _fit_lines(self) -> AsyncIterator[bytes]:
        began, lives = time.monotonic(), False
        async for line in self:
            fit = _fit(line)
            if _is_error(fit):
                if time.monotonic() - began >= _SHORT_SECONDS:
                    _errors.set(0)
                elif self.erred and not lives:
                    self.erred()
                log.info("watch ended by the API server", error=fit.decode(errors="replace")[:_LONGEST_WORDS])
                fit = await _gone_after_a_wait()
            else:
                lives = True
                _errors.set(0)
            yield fit.rstrip(b"\n") + b"\n"  # which is lost where JSON is written anew


async def _gone_after_a_wait() -> bytes:
    before = _errors.get()
    _errors.set(before + 1)
    await asyncio.sleep(_WAITS[min(before, len(_WAITS) - 1)])
    return _gone("the API server has ended the watch")


def _fit(content: bytes) -> bytes:
    return oversize.cut(nesting.shallow(content))


def _is_error(line: bytes) -> bool:
    try:
        return bool(msgspec.json.decode(line, type=_Error))
    except msgspec.DecodeError:
        return False


def _gone(why: str) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": why}})
