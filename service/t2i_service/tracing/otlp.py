"""Spans as OTLP's protobuf bytes (opentelemetry/proto/trace/v1), written directly: a fraction of message objects' time.

Only the fields that are used are written; the numbers are the protocol's. `tests/unit/service/test_otlp.py` reads every
kind of value back with the published message classes.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from t2i_service.observing.spans import Span, Value

SCOPE = "t2i_service"
_DOUBLE = struct.Struct("<d").pack
_TIMES = struct.Struct("<BQBQ").pack
_FLAGS = struct.Struct("<BBI").pack
_STATUS_ERROR = b"\x18\x02"


def request_of(resource: Mapping[str, Value], spans: Iterable[bytes]) -> bytes:
    """Return an ExportTraceServiceRequest of encoded spans."""
    scope_spans = _field(1, _field(1, SCOPE.encode())) + b"".join(spans)
    resource_spans = _field(1, _attributes(1, resource)) + _field(2, scope_spans)
    return _field(1, resource_spans)


def encoded(span: Span) -> bytes:
    """Return a span as a field of the scope that it belongs to."""
    parts = [
        b"\x0a\x10",
        span.trace_id.to_bytes(16),
        b"\x12\x08",
        span.span_id.to_bytes(8),
        _field(5, span.name.encode("utf-8", "replace")),
        b"\x30",
        bytes((span.kind,)),
        _TIMES(0x39, span.start_ns, 0x41, span.end_ns),
        _attributes(9, span.attributes),
    ]
    if span.parent_id:
        parts += (b"\x22\x08", span.parent_id.to_bytes(8))
    if span.failed:
        message = _field(2, span.message.encode("utf-8", "replace")) if span.message else b""
        parts.append(_field(15, message + _STATUS_ERROR))
    parts.append(_FLAGS(0x85, 0x01, 1 if span.sampled else 0))
    return _field(2, b"".join(parts))


def _attributes(number: int, attributes: Mapping[str, Value]) -> bytes:
    return b"".join([_field(number, _key(name) + _field(2, _value(value))) for name, value in attributes.items()])


@lru_cache(maxsize=256)
def _key(name: str) -> bytes:
    return _field(1, name.encode())


def _value(value: Value) -> bytes:
    if isinstance(value, str):
        return _field(1, value.encode("utf-8", "replace"))
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + _varint(value & 0xFFFFFFFFFFFFFFFF)
    return b"\x21" + _DOUBLE(value)


def _field(number: int, content: bytes) -> bytes:
    length = len(content)
    if number < 16 and length < 128:
        return bytes((number << 3 | 2, length)) + content
    return _varint(number << 3 | 2) + _varint(length) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)
