"""A span as the SDK's exporter takes it: it asks for JSON, reads that, and writes it again with what it adds.

Its words are the SDK's; how they are spelled is ours, and takes half the time (docs/decisions/0041). Imported by the
exporter's thread alone: without LangTrace the SDK's spans are not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from t2i_service import telemetry as names

if TYPE_CHECKING:
    from t2i_service.spans import Span

_COMMON = {names.LANGTRACE_SERVICE_TYPE: "llm", names.LANGTRACE_SDK_NAME: "langtrace-python-sdk"}


class Process(Resource):
    """The process, described once: without one, each span describes it anew, in threads of its own, for some 190 µs."""

    def __init__(self) -> None:
        described = Resource.create()
        super().__init__(described.attributes, described.schema_url)
        self._text = described.to_json(None)

    def to_json(self, indent: int | None = None) -> str:
        """Return the same text each time."""
        del indent
        return self._text


class _Compact(ReadableSpan):
    def to_json(self, indent: int | None = None) -> str:
        """Leave out the indentation: Python's compiled encoder knows none, the other takes several times as long."""
        text: str = super().to_json(indent)
        return text


def sdk_span(span: Span, service: str, prompt: str, process: Process) -> ReadableSpan:
    """Return a model's span, with the prompt as far as LangTrace may see it."""

    def context(span_id: int) -> SpanContext:
        return SpanContext(span.trace_id, span_id, is_remote=False, trace_flags=TraceFlags(int(span.sampled)))

    return _Compact(
        name=span.name,
        context=context(span.span_id),
        parent=context(span.parent_id),
        resource=process,
        attributes={**span.attributes, **_COMMON, names.LANGTRACE_SERVICE_NAME: service},
        events=[Event(names.EVENT_PROMPT, {names.EVENT_PROMPT_TEXT: prompt}, span.start_ns)],
        kind=SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, span.message) if span.failed else Status(StatusCode.OK),
        start_time=span.start_ns,
        end_time=span.end_ns,
    )
