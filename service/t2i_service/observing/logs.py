"""Every line the process prints, its own and its libraries', as one JSON object in the guide's shape."""

from __future__ import annotations

import asyncio
import atexit
import logging
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec
import structlog

from t2i_service.observing.context import current

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

    from t2i_service.observing.privacy import Privacy

MAIN = "app.main"
_encode = msgspec.json.Encoder(enc_hook=str).encode


def get(name: str = MAIN) -> FilteringBoundLogger:
    """Return a logger that may be made anywhere; it starts to work when `configure` has run."""
    logger: FilteringBoundLogger = structlog.get_logger(logger_name=name)
    return logger


def configure(level: str, privacy: Privacy) -> None:
    """Send everything to standard output, one line each, from `level` up."""
    number = logging.getLevelNamesMapping()[level]
    shape, sink = _Shape(privacy), _Sink(sys.stdout.buffer)
    structlog.configure(
        processors=[shape],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _LineLogger(sink),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=number, handlers=[_LibraryHandler(shape, sink)], force=True)
    logging.captureWarnings(capture=True)


class _Shape:
    """A structlog processor that finishes the line: time, level, logger, event, the request, then the rest."""

    def __init__(self, privacy: Privacy) -> None:
        self._privacy = privacy
        self._second = 0
        self._prefix = ""

    def __call__(self, _logger: object, level: str, event: EventDict) -> bytes:
        line: dict[str, Any] = {
            "timestamp": self._now(),
            "level": level,
            "logger": event.pop("logger_name", MAIN),
            "event": event.pop("event"),
        }
        if request := current.get():
            line["request_id"] = request.request_id
            if request.trace_id:
                line["trace_id"], line["span_id"] = request.trace_id, request.span_id
        if trouble := event.pop("exc_info", None):
            line["exception"] = _traceback(trouble)
        line.update(event)
        prompts = request.prompts if request else ()
        for field in ("exception", "error", "cause"):
            said = line.get(field)
            if isinstance(said, BaseException):
                line[field] = self._privacy.told(said, prompts)
            elif isinstance(said, str):
                line[field] = self._privacy.scrub(said, prompts)
        return self._privacy.redact(_encode(line).decode()).encode()

    def library_line(self, record: logging.LogRecord) -> bytes:
        event: EventDict = {"logger_name": record.name, "event": record.getMessage()}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        request = current.get()
        event["event"] = self._privacy.scrub(event["event"], request.prompts if request else ())
        return self(None, record.levelname.lower(), event)

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._prefix}.{int((now - second) * 1000):03d}Z"


class _Sink:
    """Writes whole lines: those of one turn of the event loop together, those of other threads at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._lines: list[bytes] = []
        atexit.register(self.flush)

    def write(self, line: bytes) -> None:
        try:
            loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        with self._lock:
            first = not self._lines
            self._lines.append(line)
        if loop is None:
            self.flush()
        elif first:
            loop.call_soon(self.flush)

    def flush(self) -> None:
        with self._lock:
            lines, self._lines = self._lines, []
            if lines:
                self._stream.write(b"\n".join(lines) + b"\n")
                self._stream.flush()


class _LineLogger:
    """What structlog hands finished lines to, under the name of each level."""

    def __init__(self, sink: _Sink) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = sink.write


class _LibraryHandler(logging.Handler):
    """Gives the standard library's records the same shape."""

    def __init__(self, shape: _Shape, sink: _Sink) -> None:
        super().__init__()
        self._shape = shape
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._sink.write(self._shape.library_line(record))
        except Exception:
            self.handleError(record)


def _traceback(trouble: Any) -> str:
    if isinstance(trouble, BaseException):
        return "".join(traceback.format_exception(trouble))
    if isinstance(trouble, tuple):
        return "".join(traceback.format_exception(*trouble))
    return traceback.format_exc()
