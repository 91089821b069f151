"""What LangTrace is sent says what the SDK's own span would say, in fewer bytes."""

from __future__ import annotations

import json

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from t2i_service.langtrace_span import Process, sdk_span
from t2i_service.spans import Kind, Span, Tracer


@pytest.mark.parametrize("failed", [True, False])
def test_the_sdk_reads_what_it_would_have_written(failed: bool) -> None:
    ended: list[Span] = []
    span = Tracer(1.0, record_all=False, on_end=ended.append).start("generate_image", None, {})
    model = span.child("replicate_sdxl", Kind.CLIENT, {"gen_ai.request.model": "sdxl", "gen_ai.request.seed": 7})
    if failed:
        model.fail("generation_failed", 'no picture of a "lighthouse"\n')
    model.end()
    ours = sdk_span(*ended, "Replicate", "a lighthouse é at dusk", Process())
    theirs = ReadableSpan(
        name=ours.name,
        context=ours.context,
        parent=ours.parent,
        resource=Resource.create(),
        attributes=ours.attributes,
        events=ours.events,
        kind=ours.kind,
        status=ours.status,
        start_time=ours.start_time,
        end_time=ours.end_time,
    )
    assert json.loads(ours.to_json()) == json.loads(theirs.to_json())
    assert len(ours.to_json().splitlines()) == 1 < len(theirs.to_json().splitlines())
