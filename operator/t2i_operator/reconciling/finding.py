"""What a look at a live object finds: what of it is to be put back, and what is left to another writer."""

from collections.abc import Container
from typing import NamedTuple

from t2i_operator.known import drift
from t2i_operator.kube.kinds import Object
from t2i_operator.reconciling.differences import Difference, differences, without

_NAMED_FIELDS = 3


class Finding(NamedTuple):
    """What is wanted without the `contested` fields, its fingerprint, and which of the others are no longer ours."""

    desired: Object
    expected: bytes
    changed: list[Difference]
    contested: list[Difference]

    @property
    def put_back(self) -> list[Difference]:
        """What an apply restores; what says by now what is wanted it only takes over."""
        return [each for each in self.changed if not each.agrees]


def find(desired: Object, expected: bytes, live: Object, given_up: Container[str]) -> Finding:
    """Compare with what was applied; an object that we never wrote has nothing that others could have changed."""
    changed = differences(desired, live) if drift.owned_fields(live) else []
    contested = [each for each in changed if each.field in given_up]
    if not contested:
        return Finding(desired, expected, changed, contested)
    left = without(desired, {each.field for each in contested})
    rest = [each for each in changed if each.field not in given_up]
    return Finding(left, drift.expected(left), rest, contested)


def named(changed: list[Difference]) -> str:
    """Name the first of them, each with who has it now."""
    return ", ".join(f"{each.field} ({each.manager or 'removed'})" for each in changed[:_NAMED_FIELDS])
