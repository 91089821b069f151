"""Which ratings have been counted: who clicks twice has one opinion."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2i_service.callers.keyring import Reference

MAX_RATINGS = 10_000


class Ratings:
    """The newest ratings that this pod was told; a changed mind counts once on each side, since counters never sink."""

    def __init__(self) -> None:
        self._counted: OrderedDict[tuple[Reference, str], None] = OrderedDict()

    def is_new(self, generation: Reference, rating: str) -> bool:
        """Remember it, and tell whether it was not known before."""
        opinion = (generation, rating)
        known = opinion in self._counted
        self._counted[opinion] = None
        self._counted.move_to_end(opinion)
        if len(self._counted) > MAX_RATINGS:
            self._counted.popitem(last=False)
        return not known
