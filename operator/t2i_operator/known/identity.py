"""Which object, and whose it is."""

from typing import NamedTuple

from t2i_operator import naming
from t2i_operator.kube.kinds import CHILDREN, Kind, Object

_BY_NAME = {kind.name: kind for kind in CHILDREN}


class Id(NamedTuple):
    """Which object."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name}"


def identify(desired: Object) -> Id:
    """Return which object a builder's result is."""
    return Id(_BY_NAME[desired["kind"]], desired["metadata"]["namespace"], desired["metadata"]["name"])


def controller(metadata: Object) -> Object | None:
    """Return the controller's ownerReference; an object has one at most."""
    found: Object | None = next(
        (owner for owner in metadata.get("ownerReferences", ()) if owner.get("controller")), None
    )
    return found


def owner_uid(metadata: Object) -> str:
    """Return whose the object is; our annotation speaks only where no controller does."""
    owner = controller(metadata)
    uid = owner["uid"] if owner else metadata.get("annotations", {}).get(naming.OWNER_UID_ANNOTATION, "")
    return str(uid)
