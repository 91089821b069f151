"""When there is nothing to do: what a resource's objects were last built from, and what came of it."""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import msgspec

from t2i_operator.known.credentials import Problem
from t2i_operator.known.identity import Id
from t2i_operator.known.version_cache import Versions
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.kinds import Kind
from t2i_operator.naming import Key

# What each object has to look like; see `drift`.
Expected: TypeAlias = dict[Id, bytes]


class Facts(NamedTuple):
    """All that a resource's objects are built from; the values of Secrets are known by their versions."""

    uid: str
    generation: int
    versions: Versions
    absent: dict[Kind, Absence]
    several_pods: bool


class Pass(msgspec.Struct, frozen=True, kw_only=True):
    """A complete pass: while its facts and the objects' digests stay, there is nothing to build, read or write.

    `stays` are the objects that are kept, as they are, until a Grafana or the cluster has what is to follow them.
    """

    facts: Facts
    expected: Expected
    stays: list[Id]
    credentials: Problem | None
    lacks: dict[str, Problem]
    at: float


class Ledger:
    """What came of each resource's passes: the last complete one, and what was in place, complete or not.

    To make again what was in place is a repair of what somebody deleted.
    """

    def __init__(self) -> None:
        self._passes: dict[Key, Pass] = {}
        self._placed: dict[Key, tuple[str, Expected]] = {}

    def last(self, key: Key) -> Pass | None:
        """Return the last complete pass, which may be an earlier resource's of this name."""
        return self._passes.get(key)

    def placed(self, key: Key, uid: str) -> Expected:
        """Return what was in place; what an earlier resource of this name had, the garbage collector took away."""
        owner, placed = self._placed.get(key, (uid, {}))
        return placed if owner == uid else {}

    def note(self, key: Key, uid: str, wanted: Iterable[Id], made: Expected) -> None:
        """Keep what was in place beside what was made; what is no longer wanted goes by our own doing."""
        before = self.placed(key, uid)
        self._placed[key] = uid, {**{each: before[each] for each in wanted if each in before}, **made}

    def record_complete(self, key: Key, complete: Pass) -> None:
        """Keep a complete pass, which put everything into place."""
        self._passes[key], self._placed[key] = complete, (complete.facts.uid, complete.expected)

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a resource."""
        self._passes.pop(key, None)
        self._placed.pop(key, None)
