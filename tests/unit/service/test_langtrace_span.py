"""What LangTrace is sent says what OpenTelemetry's own span would say, in fewer bytes."""

from __future__ import annotations

import json

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from t2i_service.observing.spans import Kind, Span, Tracer
from t2i_service.tracing.langtrace_span import ModelSpan, process

ADDED = {
    "langtrace.service.type": "llm",
    "langtrace.sdk.name": "langtrace-python-sdk",
    "langtrace.service.name": "Replicate",
}


@pytest.mark.parametrize("message", [None, "", 'no picture of a "lighthouse"\n'])
def test_it_says_what_the_sdks_own_span_would(message: str | None) -> None:
    ended: list[Span] = []
    span = Tracer(1.0, record_all=False, on_end=ended.append).start("generate_image", None, {})
    model = span.child("replicate_sdxl", Kind.CLIENT, {"gen_ai.request.model": "sdxl", "gen_ai.request.seed": 7})
    if message is not None:
        model.fail("generation_failed", message)
    model.end()
    ours = ModelSpan(model, "Replicate", "a lighthouse é at dusk", process())

    def context(span_id: int) -> SpanContext:
        return SpanContext(model.trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))

    theirs = ReadableSpan(
        name="replicate_sdxl",
        context=context(model.span_id),
        parent=context(span.span_id),
        resource=Resource.create(),
        attributes=model.attributes | ADDED,
        events=[Event("gen_ai.content.prompt", {"gen_ai.prompt": "a lighthouse é at dusk"}, model.start_ns)],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.OK) if message is None else Status(StatusCode.ERROR, message),
        start_time=model.start_ns,
        end_time=model.end_ns,
    )
    assert json.loads(ours.to_json()) == json.loads(theirs.to_json())
    assert len(ours.to_json().splitlines()) == 1 < len(theirs.to_json().splitlines())
    assert ours.get_span_context().trace_id == model.trace_id
    assert ours.status.is_ok == theirs.status.is_ok
    assert (ours.dropped_events, ours.dropped_attributes, ours.dropped_links) == (0, 0, 0)
