"""What may be shown of a prompt, and what must never be shown at all: one place for every sink."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from t2i_service.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"
ELLIPSIS = "..."
# Shorter runs than this are words that any text may share with a prompt.
SHORTEST_PIECE = 16
# Shorter values are no secrets but words and numbers, whose removal would break the JSON of any line.
SHORTEST_SECRET = 8
# Of words that share this many letters with a prompt one may be made of the other: `images`, `imaginary`.
SHARED_LETTERS = 4
# Scripts without spaces, or with more than 26 letters, say as much in fewer of them.
SHARED_SIGNS = 2
SHORTEST_WORD = 3
_WORD = re.compile(r"[^\W_]+")
_TOKENS = re.compile(r"(?i)(bearer\s+)[^\s'\",}]+|\br8_[A-Za-z0-9]{8,}")


def _without_pieces(text: str, prompt: str, characters: int) -> str:
    """Cut every run of `text` that repeats a piece of the prompt longer than may be shown: upstreams shorten, too."""
    length = max(characters + len(ELLIPSIS), SHORTEST_PIECE)
    if len(text) < length:
        return text
    pieces = {prompt[start : start + length] for start in range(len(prompt) - length + 1)}
    kept, at = [], 0
    while at < len(text):
        if text[at : at + length] not in pieces:
            kept.append(text[at])
            at += 1
            continue
        end = at + length
        while text[end - length + 1 : end + 1] in pieces and end < len(text):
            end += 1
        kept.append(text[at : at + characters] + ELLIPSIS)
        at = end
    return "".join(kept)


def _without_words(text: str, prompts: str) -> str:
    """Cut every word that may have been made of one in the prompts: where nothing may be shown, not even one may."""

    def shown(found: re.Match[str]) -> str:
        word = found[0].casefold()
        if word.isascii() and len(word) < SHORTEST_WORD:
            return found[0]
        shared = min(len(word), SHARED_LETTERS if word.isascii() else SHARED_SIGNS)
        runs = (word[start : start + shared] for start in range(len(word) - shared + 1))
        return ELLIPSIS if any(run in prompts for run in runs) else found[0]

    return _WORD.sub(shown, text)


def _spellings(text: str) -> set[str]:
    return {text, repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


class Privacy:
    """Cuts prompts to `characters` and takes secrets out of text."""

    def __init__(self, characters: int, secrets: Iterable[str] = ()) -> None:
        self.characters = characters
        self._secrets: tuple[str, ...] = ()
        self.keep_secret(secrets)

    def keep_secret(self, secrets: Iterable[str]) -> None:
        """Add values that no line may carry; a line, which is JSON, may quote one as JSON or Python had spelled it."""
        kept = [value for value in secrets if len(value) >= SHORTEST_SECRET]
        spellings = {spelling for value in kept for once in _spellings(value) for spelling in _spellings(once)}
        self._secrets = tuple(sorted(spellings | set(self._secrets), key=len, reverse=True))

    def shown(self, prompt: str) -> str:
        """Return what may be shown: the whole of a short prompt, the beginning of a long one, nothing at 0."""
        if len(prompt) <= self.characters:
            return prompt
        return f"{prompt[: self.characters]}{ELLIPSIS}" if self.characters else ""

    def scrub(self, text: str, prompts: Iterable[str]) -> str:
        """Cut what a library or an upstream quoted of the prompts, whole or in part, and take tokens out."""
        for prompt in prompts:
            if len(prompt) > self.characters:
                spellings = _spellings(prompt)
                for spelling in spellings:
                    text = text.replace(spelling, self.shown(prompt))
                for spelling in spellings:
                    text = _without_pieces(text, spelling, self.characters)
                if not self.characters:
                    text = _without_words(text, "\n".join(spellings).casefold())
        return self.redact(_TOKENS.sub(lambda match: f"{match[1] or ''}{REDACTED}", text))

    def told(self, error: BaseException, prompts: Iterable[str]) -> str:
        """Return what may be told of an error: at 0 characters no words of an upstream, which may be a prompt's."""
        if isinstance(error, ServiceError):
            if error.quotes and not self.characters:
                return f"{error.title}."
            # Looking for a long prompt takes seconds: not in our own words, or an error would cost what it likes.
            return self.scrub(error.detail, prompts if error.quotes else ())
        return self.scrub(str(error) or type(error).__name__, prompts)

    def redact(self, text: str) -> str:
        """Take known secrets out; cheap enough for every line."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text
