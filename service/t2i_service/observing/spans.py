"""A span that costs a few microseconds: what the guide's tracing needs of OpenTelemetry's, and no more.

The SDK's own takes some 25 µs a span and as much again to encode, on every request (docs/decisions/0042). Ids, times
and meaning are OpenTelemetry's; how it is sent is `otlp.py`'s business.
"""

from __future__ import annotations

import random
import re
import time
from enum import IntEnum
from typing import TYPE_CHECKING

from t2i_service.observing import telemetry as names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Value = str | bool | int | float
# Version 0 has 55 characters, a later one may have more behind them, and ff is forbidden (W3C Trace Context, 3.2).
_TRACEPARENT = re.compile(rb"(?!ff|00.{54})[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class Kind(IntEnum):
    """OTLP's numbers."""

    INTERNAL = 1
    SERVER = 2
    CLIENT = 3


class Span:
    """One span; when not `recorded` it has ids for the log and keeps nothing."""

    __slots__ = (
        "_on_end", "attributes", "end_ns", "failed", "kind", "message", "name", "parent_id", "recorded", "sampled",
        "span_id", "start_ns", "trace_id",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - it is all that a span is
        self,
        name: str,
        kind: Kind,
        *,
        trace_id: int,
        parent_id: int,
        sampled: bool,
        recorded: bool,
        on_end: Callable[[Span], None],
        attributes: Mapping[str, Value],
    ) -> None:
        self.name, self.kind = name, kind
        self.trace_id, self.parent_id = trace_id, parent_id
        self.span_id = random.getrandbits(64) or 1
        self.sampled, self.recorded = sampled, recorded
        self.attributes = dict(attributes) if recorded else {}
        self.failed, self.message = False, ""
        self.start_ns, self.end_ns = time.time_ns(), 0
        self._on_end = on_end

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes; one that has ended may have been sent already, and stays as it was."""
        if self.recorded and not self.end_ns:
            self.attributes.update(attributes)

    def fail(self, error_type: str = "", message: str = "") -> None:
        """Mark it as failed, unless it has ended; the caller has scrubbed the message."""
        if self.end_ns:
            return
        self.failed, self.message = True, self.message or message
        if error_type:
            self.set({names.ERROR_TYPE: error_type, names.ERROR: message})

    def end(self) -> None:
        """End it and send it on its way."""
        if self.recorded:
            self.end_ns = time.time_ns()
            self._on_end(self)

    def child(self, name: str, kind: Kind = Kind.INTERNAL, attributes: Mapping[str, Value] | None = None) -> Span:
        """Start a span under this one."""
        return Span(
            name,
            kind,
            trace_id=self.trace_id,
            parent_id=self.span_id,
            sampled=self.sampled,
            recorded=self.recorded,
            on_end=self._on_end,
            attributes=attributes or {},
        )

    @property
    def trace_hex(self) -> str:
        """The trace's id as logs and links spell it."""
        return f"{self.trace_id:032x}"

    @property
    def span_hex(self) -> str:
        """The span's id as logs spell it."""
        return f"{self.span_id:016x}"


class Tracer:
    """Starts the spans of requests; samples as `parentbased_traceidratio` does: the caller decides, else the ratio."""

    def __init__(self, ratio: float, *, record_all: bool, on_end: Callable[[Span], None]) -> None:
        self._bound = round(ratio * 2**64)
        self._record_all = record_all
        self._on_end = on_end

    def start(self, name: str, traceparent: bytes | None, attributes: Mapping[str, Value]) -> Span:
        """Start a SERVER span, under the caller's when there is one."""
        parent = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
        if parent and (trace_id := int(parent[1], 16)) and (parent_id := int(parent[2], 16)):
            sampled = bool(int(parent[3], 16) & 1)
        else:
            trace_id, parent_id = random.getrandbits(128) or 1, 0
            sampled = trace_id & 0xFFFFFFFFFFFFFFFF < self._bound
        return Span(
            name,
            Kind.SERVER,
            trace_id=trace_id,
            parent_id=parent_id,
            sampled=sampled,
            recorded=sampled or self._record_all,
            on_end=self._on_end,
            attributes=attributes,
        )


NO_SPAN = Span(
    "", Kind.INTERNAL, trace_id=0, parent_id=0, sampled=False, recorded=False, on_end=lambda _: None, attributes={}
)
