"""What a sink may show."""

from __future__ import annotations

import json
import logging

import pytest
from t2i_service.errors import GenerationRefusedError, GenerationTimedOutError, NotAcceptableError
from t2i_service.main import secrets_of
from t2i_service.observing import logs, privacy
from t2i_service.observing.context import RequestContext, current
from t2i_service.observing.privacy import REDACTED, Privacy
from t2i_service.settings import load


@pytest.mark.parametrize(
    ("characters", "prompt", "shown"),
    [(5, "short", "short"), (5, "longer", "longe..."), (0, "hidden", ""), (0, "", "")],
)
def test_a_prompt_is_cut(characters: int, prompt: str, shown: str) -> None:
    assert Privacy(characters).shown(prompt) == shown


@pytest.mark.parametrize("spell", [str, repr, json.dumps])
def test_a_quoted_prompt_is_cut_in_every_spelling(spell: type[str]) -> None:
    prompt = 'a "very" private\nwish'
    scrubbed = Privacy(0).scrub(f"upstream said: {spell(prompt)} is bad", [prompt])
    assert "private" not in scrubbed
    assert scrubbed.startswith("upstream said: ")


def test_a_piece_of_a_prompt_is_cut_too() -> None:
    prompt = "a lighthouse at dusk with a very private detail in it"
    scrubbed = Privacy(2).scrub(f"NSFW words near '{prompt[4:40]}' (cut)", [prompt])
    assert scrubbed == "NSFW words near 'gh...' (cut)"
    assert Privacy(100).scrub(f"near '{prompt}'", [prompt]) == f"near '{prompt}'"


def test_where_nothing_may_be_shown_not_even_a_word_is() -> None:
    prompt = "Éowyn's table\nin the golden hall"
    said = "NSFW: 'EOWYN', \"golden\"; \\u00c9owyn and Éow... at the tab, tables, unrelated words"
    assert Privacy(0).scrub(said, [prompt]) == (
        "NSFW: '...', \"...\"; \\... and ...... at ... ..., ..., unrelated words"
    )
    assert Privacy(1).scrub(said, [prompt]) == said


@pytest.mark.parametrize(
    ("prompt", "said", "kept"),
    [
        ("A zebrafish in the quagmire", "could not write zebrafish_quagmire.png", "could not write ..._....png"),
        ("a zebrafish", "two zebrafishes", "two ..."),
        ("a cat with a gun", "the word 'gun' is no word", "the word '...' is no word"),
        ("一个裸体女人在海边", "内容包含裸体女人, 已被拒绝", "..., 已被拒绝"),
    ],
)
def test_what_was_made_of_a_prompts_words_is_cut_too(prompt: str, said: str, kept: str) -> None:
    assert Privacy(0).scrub(said, [prompt]) == kept


def test_where_nothing_may_be_shown_no_words_of_an_upstream_are_told() -> None:
    error, own = GenerationRefusedError("NSFW: 'a gun'"), GenerationTimedOutError("sdxl took longer than 120 s.")
    assert Privacy(0).told(error, ["a gun"]) == "The model refused this prompt."
    assert Privacy(5).told(error, ["a gun"]) == "NSFW: 'a gun'"
    assert Privacy(0).told(own, ["a gun"]) == "sdxl took longer than 120 s."


def test_in_our_own_words_no_prompt_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking takes as long as the prompt is, and nobody pays for an error."""
    looked: list[str] = []
    monkeypatch.setattr(privacy, "_without_pieces", lambda text, prompt, _: looked.append(prompt) or text)
    monkeypatch.setattr(privacy, "_without_words", lambda text, prompts: looked.append(prompts) or text)
    own = NotAcceptableError("4 images were asked for: ask for one, or accept application/json.")
    assert Privacy(0).told(own, ["images that are accepted"]) == own.detail
    assert not looked
    Privacy(1).told(GenerationRefusedError("NSFW"), ["images that are accepted"])
    assert looked


def test_known_secrets_and_tokens_are_taken_out() -> None:
    sinks = Privacy(10, ['a"secret', "1", "tenant"])
    text = json.dumps({"a": 'a"secret', "b": "Authorization: Bearer abc.def", "c": "r8_0123456789abcdef", "tenant": 1})
    scrubbed = sinks.scrub(text, [])
    assert scrubbed.count(REDACTED) == 3
    assert json.loads(scrubbed)["tenant"] == 1
    assert "abc.def" not in scrubbed


@pytest.mark.parametrize("secret", ['cl\u00e9"of-dora', 'it\'s "of-dora"'], ids=["quote-and-letter", "both-quotes"])
def test_a_secret_is_taken_out_of_a_line_however_it_is_spelled(secret: str) -> None:
    line = logs._Shape(Privacy(10, [secret]))
    event = {"event": f"sent {secret}", "reason": f"no {secret!r}", "body": json.dumps(secret)}
    shown = line(None, "error", event | {"exc_info": KeyError(secret)}).decode()
    assert shown.count(REDACTED) == 4
    assert "of-dora" not in shown


def test_a_header_is_secret_in_every_piece_that_a_library_may_quote(monkeypatch: pytest.MonkeyPatch) -> None:
    headers = "authorization=Basic abcdefgh,x-tenant=studio=def123secret,x-api-key=cr%65me-au-lait%2C"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", headers)
    sinks = Privacy(10, secrets_of(load()))
    shown = sinks.scrub("invalid: def123secret, creme-au-lait,, cr%65me-au-lait%2C, Basic abcdefgh", [])
    assert shown.count(REDACTED) == 4
    assert "secret" not in shown


def test_lines_of_libraries_are_shaped_and_redacted_like_our_own() -> None:
    line = logs._Shape(Privacy(10, ["very-secret"]))
    record = logging.LogRecord("some.client", logging.DEBUG, "", 0, "sent %s", ("Bearer very-secret",), None)
    shaped = json.loads(line.library_line(record))
    assert (shaped["logger"], shaped["level"], shaped["event"]) == ("some.client", "debug", f"sent Bearer {REDACTED}")


@pytest.mark.parametrize("field", ["error", "cause", "exception"])
def test_no_field_that_may_quote_shows_a_prompt(field: str) -> None:
    token = current.set(RequestContext("request", 0.0, prompts=("a zebrafish",)))
    line = logs._Shape(Privacy(0))(None, "warning", {"event": "It failed", field: "cannot draw 'a zebrafish'"})
    current.reset(token)
    assert json.loads(line)[field] == "cannot draw ''"
