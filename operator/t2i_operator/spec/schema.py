"""What every block is made of: the base class, CEL rules, and what a field says to the API server beside its type."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from msgspec import Meta

_INITIALISMS = {"url": "URL", "urls": "URLs", "cpu": "CPU"}


class Rule(NamedTuple):
    """One `x-kubernetes-validations` entry; `message` says what to write instead."""

    cel: str
    message: str


def wire_name(attribute: str) -> str:
    """Spell `target_cpu_utilization_percentage` as Kubernetes does: `targetCPUUtilizationPercentage`."""
    head, *tail = attribute.rstrip("_").split("_")
    return head + "".join(_INITIALISMS.get(word, word.capitalize()) for word in tail)


class Block(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=wire_name):
    """A JSON object of the API.

    `omit_defaults` makes `msgspec.to_builtins(block)` give back what the user wrote, not what we filled in.
    A subclass states its cross-field rules in the class variable `rules`, and repeats frozen and kw_only, which
    msgspec does not inherit.
    """


def described(text: str) -> Meta:
    """Document a field for `kubectl explain`."""
    return Meta(description=text)


class Spelling(NamedTuple):
    """A pattern that the CRD had not always; what breaks it is read.

    What would do harm `reconciling.stored` makes nothing of; of the rest the API server says what it thinks.
    """

    pattern: str
    says: str

    def problems(self, value: str | None, field: str) -> Iterator[str]:
        """Yield a sentence where a value is given that was stored before the pattern was."""
        if value is not None and not re.search(self.pattern, value):
            yield f"{field}: {self.says}"


def least(number: int) -> Meta:
    """Have the API server alone refuse smaller numbers where a number or a string may be written."""
    return Meta(extra_json_schema={"minimum": number})


def spelled(pattern: str, says: str, *, longest: int, shortest: int | None = None) -> Meta:
    """Hold a string to a pattern; the API server says a sentence rather than a regular expression."""
    return Meta(
        pattern=pattern, max_length=longest, min_length=shortest, extra_json_schema=_spelling(Spelling(pattern, says))
    )


def spelled_since(spelling: Spelling, *, longest: int, shortest: int | None = None, before: str | None = None) -> Meta:
    """Have the API server alone hold a string to it: a resource that is older must not be locked out as a whole.

    `before` is the pattern that such a one was held to.
    """
    return Meta(pattern=before, max_length=longest, min_length=shortest, extra_json_schema=_spelling(spelling))


def _spelling(spelling: Spelling) -> dict[str, object]:
    rule = {"rule": matches("self", spelling.pattern), "message": spelling.says}
    return {"x-kubernetes-validations": [rule]}


def matches(path: str, pattern: str) -> str:
    """Return the CEL that compares; rules that compute with a value guard themselves by it."""
    return f"{path}.matches(r'{pattern}')"


def list_map(*keys: str) -> Meta:
    """Let server-side apply merge the list's items by these keys."""
    return Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)})


SET = Meta(extra_json_schema={"x-kubernetes-list-type": "set"})
ATOMIC_MAP = Meta(extra_json_schema={"x-kubernetes-map-type": "atomic"})
