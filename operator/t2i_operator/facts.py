"""When there is nothing to do: what a resource's objects were last built from, and what came of it."""

from typing import NamedTuple, TypeAlias

import msgspec

from t2i_operator.absences import Absence
from t2i_operator.children import Id
from t2i_operator.credentials import Problem
from t2i_operator.kinds import Kind
from t2i_operator.secret_watch import Versions

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
    """A complete pass: while its facts and the objects' digests stay, there is nothing to build, read or write."""

    facts: Facts
    expected: Expected
    credentials: Problem | None
    lacks: dict[str, Problem]
    at: float
