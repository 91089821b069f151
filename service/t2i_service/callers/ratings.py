"""Which ratings have been counted, and told: who clicks twice has one opinion."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from t2i_service.callers.keyring import Reference

MAX_RATINGS = 10_000

K = TypeVar("K")
V = TypeVar("V")


class Ratings:
    """The newest ratings that this pod was told; a changed mind counts once on each side, since counters never sink."""

    def __init__(self) -> None:
        self._counted: OrderedDict[tuple[Reference, str], None] = OrderedDict()
        self._told: OrderedDict[Reference, str] = OrderedDict()

    def is_new(self, generation: Reference, rating: str) -> bool:
        """Remember it, and tell whether it was not known before."""
        known = (generation, rating) in self._counted
        _keep(self._counted, (generation, rating), None)
        return not known

    def is_told(self, generation: Reference, rating: str) -> bool:
        """Whether it is the last that was passed on, which need not be told again."""
        return self._told.get(generation) == rating

    def tell(self, generation: Reference, rating: str) -> None:
        """Remember that it is passed on."""
        _keep(self._told, generation, rating)


def _keep(known: OrderedDict[K, V], key: K, value: V) -> None:
    known[key] = value
    known.move_to_end(key)
    if len(known) > MAX_RATINGS:
        known.popitem(last=False)
