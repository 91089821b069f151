"""Optional kinds that are not served, as their own streams find out: no CRD is watched, so no right to it is needed."""

from typing import ClassVar

import msgspec

from t2i_operator.kube.kinds import Kind


class Absence(msgspec.Struct, frozen=True):
    """MISSING: nobody has installed the CRD. FORBIDDEN: whether it is there is not for us to see.

    Else it cannot be listed, as while its conversion webhook is broken, and `answer` is what the API server says.
    """

    name: str
    answer: str = ""
    MISSING: ClassVar["Absence"]
    FORBIDDEN: ClassVar["Absence"]

    @classmethod
    def failing(cls, answer: str) -> "Absence":
        """Return what becomes of a kind whose list fails."""
        return cls("failing", answer)


Absence.MISSING, Absence.FORBIDDEN = Absence("missing"), Absence("forbidden")


class Absences:
    """Kept by kind and watched namespace, because rights may differ between namespaces."""

    def __init__(self) -> None:
        self._known: dict[tuple[Kind, str | None], Absence] = {}

    def note(self, kind: Kind, namespace: str | None, absence: Absence | None) -> bool:
        """Take what a stream found, None when it is served; tell whether that is news."""
        before = self._known.get((kind, namespace))
        if absence is None:
            self._known.pop((kind, namespace), None)
        else:
            self._known[kind, namespace] = absence
        return before != absence

    def of(self, namespace: str) -> dict[Kind, Absence]:
        """Return what a resource in this namespace has to do without."""
        return {kind: absence for (kind, where), absence in self._known.items() if where in (None, namespace)}
