"""A span as the SDK's exporter takes it: it asks for JSON, reads that, and writes it again with what it adds.

Its words are those of OpenTelemetry's `ReadableSpan`; how they are come by is ours, and takes a third of the time
(docs/decisions/0041). Imported by the exporter's thread alone: without LangTrace the SDK is not needed.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.sdk.resources import Resource

from t2i_service.observing import telemetry as names

if TYPE_CHECKING:
    from t2i_service.observing.spans import Span

_COMMON = {names.LANGTRACE_SERVICE_TYPE: "llm", names.LANGTRACE_SDK_NAME: "langtrace-python-sdk"}
# In one line, and made anew only where spans differ: a saturated worker pays for every microsecond of it.
_TEXT = (
    '{"name": %s, "context": {"trace_id": "0x%032x", "span_id": "0x%016x", "trace_state": "[]"},'
    ' "kind": "SpanKind.CLIENT", "parent_id": "0x%016x", "start_time": "%s", "end_time": "%s",'
    ' "status": %s, "attributes": %s,'
    f' "events": [{{"name": "{names.EVENT_PROMPT}", "timestamp": "%s",'
    f' "attributes": {{"{names.EVENT_PROMPT_TEXT}": %s}}}}],'
    ' "links": [], "resource": %s}'
)


def process() -> str:
    """Describe the process, once for all spans: asked anew for each it takes threads of its own and some 190 µs."""
    return Resource.create().to_json(None)


class Identity(NamedTuple):
    """What the exporter asks a span's context for."""

    trace_id: int


class Ending(NamedTuple):
    """What the exporter asks a span's status for."""

    is_ok: bool


class ModelSpan:
    """A model's span, with the prompt as far as LangTrace may see it, as far as the SDK's exporter looks at spans."""

    dropped_attributes = dropped_events = dropped_links = 0
    __slots__ = ("_process", "_prompt", "_service", "_span")

    def __init__(self, span: Span, service: str, prompt: str, process: str) -> None:
        self._span, self._service, self._prompt, self._process = span, service, prompt, process

    def get_span_context(self) -> Identity:
        """Return the id of its trace."""
        return Identity(self._span.trace_id)

    @property
    def status(self) -> Ending:
        """Whether it ended well."""
        return Ending(not self._span.failed)

    def to_json(self) -> str:
        """Return it as the SDK's own span would, but for the indentation."""
        span, began = self._span, _time(self._span.start_ns)
        return _TEXT % (
            json.dumps(span.name),
            span.trace_id,
            span.span_id,
            span.parent_id,
            began,
            _time(span.end_ns),
            _status(span),
            json.dumps({**span.attributes, **_COMMON, names.LANGTRACE_SERVICE_NAME: self._service}),
            began,
            json.dumps(self._prompt),
            self._process,
        )


def _status(span: Span) -> str:
    if not span.failed:
        return '{"status_code": "OK"}'
    return json.dumps({"status_code": "ERROR"} | ({"description": span.message} if span.message else {}))


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
