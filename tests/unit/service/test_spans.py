"""What a span keeps."""

from __future__ import annotations

from t2i_service.observing.spans import Span, Tracer


def test_a_span_that_has_ended_stays_as_it_was() -> None:
    sent: list[Span] = []
    span = Tracer(1.0, record_all=False, on_end=sent.append).start("generate_image", None, {})
    span.set({"status": "starting"})
    span.end()
    span.set({"status": "success"})
    span.fail("generation_failed", "too late")
    assert sent == [span]
    assert (span.attributes, span.failed, span.message) == ({"status": "starting"}, False, "")
