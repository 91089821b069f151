"""How long a 429 asks to wait, wherever and however it says so, and which sentences are our own."""

from __future__ import annotations

import json
import time
from email.utils import formatdate

import pytest
from t2i_service.observing.privacy import Privacy
from t2i_service.providers.replicate_refusals import DEFAULT_THROTTLE_SECONDS, Reply, refusal
from t2i_service.providers.upstream_errors import UpstreamThrottledError


def waits(headers: dict[str, str], content: bytes = b"") -> float:
    error = refusal(Reply(429, headers, content), of_create=True)
    assert isinstance(error, UpstreamThrottledError)
    return error.after


@pytest.mark.parametrize(
    ("headers", "content", "seconds"),
    [
        ({"retry-after": "7"}, b"", 7),
        ({"retry-after": "1.5"}, b"", 1.5),
        ({"retry-after": "0"}, b"", 0),
        ({"ratelimit-reset": "30.2"}, b"", 30.2),
        ({"retry-after": "2", "ratelimit-reset": "30"}, b"", 2),
        ({"retry-after": "soon", "ratelimit-reset": "30"}, b"", 30),
        ({}, b'{"detail": "Request was throttled. Your rate limit resets in ~12s."}', 12),
        ({"retry-after": "Fri, 01 Jan 2016 00:00:00 GMT"}, b"", 0),
    ],
    ids=["whole", "decimal", "now", "reset", "first", "second", "body", "past"],
)
def test_the_time_is_read_from_each_place_alone(headers: dict[str, str], content: bytes, seconds: float) -> None:
    assert waits(headers, content) == seconds


def test_a_date_is_a_time_from_now() -> None:
    assert 50 < waits({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 60


@pytest.mark.parametrize("value", ["", "soon", "-3", "nan", "1e9", "\u00b2", "inf"], ids=ascii)
def test_what_is_no_time_is_none(value: str) -> None:
    assert waits({"retry-after": value}) == DEFAULT_THROTTLE_SECONDS


def test_clients_are_told_no_time_that_they_do_not_wait() -> None:
    error = UpstreamThrottledError(3600)
    assert (error.after, error.headers) == (3600, {"Retry-After": "60"})


REFUSED = "The provider refuses the service's token: whoever runs the service has to check REPLICATE_API_TOKEN."


@pytest.mark.parametrize("characters", [100, 0])
@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (401, REFUSED),
        (402, "The provider's account has no credit left: whoever runs the service has to buy some."),
        (403, REFUSED),
        (404, "The provider does not know this model or prediction."),
    ],
)
def test_our_own_sentence_is_told_whatever_may_be_shown_of_a_prompt(
    status: int, sentence: str, characters: int
) -> None:
    said = b'{"title": "No lighthouse", "detail": "a lighthouse"}'
    error = refusal(Reply(status, {}, said), of_create=True)
    assert Privacy(characters).told(error, ["a lighthouse"]) == sentence


@pytest.mark.parametrize(
    ("title", "detail", "told"),
    [
        ("Invalid version", "a lighthouse", "The provider does not know this version of the model: a lighthouse"),
        ("Input validation failed", "a lighthouse", "a lighthouse"),
    ],
)
def test_the_providers_words_are_hidden_with_the_prompt(title: str, detail: str, told: str) -> None:
    said = json.dumps({"title": title, "detail": detail}).encode()
    error = refusal(Reply(422, {}, said), of_create=True)
    assert Privacy(100).told(error, [detail]) == told
    assert Privacy(0).told(error, [detail]) == f"{error.title}."
