"""What is written by hand is read back by the published message classes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from t2i_service.observing.spans import Kind, Span, Tracer
from t2i_service.tracing.otlp import encoded, request_of

values = st.one_of(st.text(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))


def spans_of(ratio: float = 1.0, traceparent: bytes | None = None) -> tuple[Span, list[Span]]:
    ended: list[Span] = []
    tracer = Tracer(ratio, record_all=False, on_end=ended.append)
    return tracer.start("generate_image", traceparent, {"a": "b"}), ended


def read(data: bytes) -> ExportTraceServiceRequest:
    message: ExportTraceServiceRequest = ExportTraceServiceRequest.FromString(data)
    return message


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1), values, max_size=20), st.text(max_size=300))
def test_every_attribute_comes_back(attributes: dict[str, str | bool | int | float], message: str) -> None:
    span, ended = spans_of()
    span.set(attributes)
    child = span.child("replicate_sdxl", Kind.CLIENT)
    child.fail("generation_failed", message)
    child.end()
    span.end()
    request = read(request_of({"service.name": "text-to-image", **attributes}, map(encoded, ended)))
    (resource_spans,) = request.resource_spans
    (scope_spans,) = resource_spans.scope_spans
    first, root = scope_spans.spans
    told = {item.key: getattr(item.value, item.value.WhichOneof("value")) for item in root.attributes}
    assert told == {"a": "b", **attributes}
    assert (root.name, root.kind, first.kind) == ("generate_image", root.SPAN_KIND_SERVER, first.SPAN_KIND_CLIENT)
    assert first.trace_id == root.trace_id == span.trace_id.to_bytes(16)
    assert first.parent_span_id == root.span_id
    assert not root.parent_span_id
    assert (first.status.code, first.status.message) == (2, message)
    assert root.status.code == 0
    assert root.start_time_unix_nano <= first.start_time_unix_nano <= first.end_time_unix_nano
    assert (first.flags, root.flags) == (1, 1)
    assert request.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("traceparent", "sampled", "kept"),
    [
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True, True),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", False, True),
        (b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", True, True),
        (b"00-00000000000000000000000000000000-00f067aa0ba902b7-01", False, False),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False, False),
        (b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False, False),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", False, False),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", False, False),
        (b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more", False, False),
        (b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True, True),
        (b"nonsense", False, False),
        (None, False, False),
    ],
)
def test_the_caller_decides_when_there_is_one(traceparent: bytes | None, *, sampled: bool, kept: bool) -> None:
    span, ended = spans_of(0.0, traceparent)
    span.end()
    assert span.sampled is sampled
    assert (span.trace_hex == "4bf92f3577b34da6a3ce929d0e0e4736") is kept
    assert len(ended) == sampled


def test_the_ratio_is_kept() -> None:
    sampled = sum(spans_of(0.1)[0].sampled for _ in range(5000))
    assert 380 < sampled < 620
