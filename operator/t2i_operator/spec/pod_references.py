"""What a pod template of the user's names, known by the fields' names: its schema is the API server's."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from t2i_operator.kube.kinds import CONFIG_MAP, SECRET, VOLUME_CLAIM, Kind

# What the fields that name an object are called, whatever they stand in.
_BY_NAME = {
    "secret": SECRET,
    "secretRef": SECRET,
    "secretKeyRef": SECRET,
    "nodePublishSecretRef": SECRET,
    "configMap": CONFIG_MAP,
    "configMapRef": CONFIG_MAP,
    "configMapKeyRef": CONFIG_MAP,
}
_NAMES = {"secretName": SECRET, "claimName": VOLUME_CLAIM}
_ENVIRONMENT, _VOLUMES = ("env", "envFrom"), "volumes"
# The API server has not looked at it yet, and a name becomes a part of a path.
_NAME = re.compile("[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


class Named(NamedTuple):
    """An object that is named; `within` is which part of a pod names it, and "" what a pod does not wait for.

    `keys` are those that it has to have: a variable's, or a volume's `items`.
    """

    kind: Kind
    name: str
    within: str = ""
    keys: tuple[str, ...] = ()
    optional: bool = False

    @property
    def in_environment(self) -> bool:
        """Whether a pod reads it as it starts, and never again; volumes are brought up to date by the kubelet."""
        return self.within in _ENVIRONMENT

    @property
    def awaited(self) -> bool:
        """Whether a pod does not start without it; an image is pulled with such pull secrets as there are."""
        return bool(self.within) and self.kind != VOLUME_CLAIM and _NAME.fullmatch(self.name) is not None


def named(value: Any, within: str = "") -> Iterator[Named]:
    """Find all that a part of a pod template names, however ill-formed it is."""
    if isinstance(value, list):
        for item in value:
            yield from named(item, within)
    if not isinstance(value, dict):
        return
    for field, inside in value.items():
        if field in _NAMES and isinstance(inside, str):
            yield _named(_NAMES[field], inside, within, value)
        elif field in _BY_NAME and isinstance(inside, dict) and isinstance(inside.get("name"), str):
            yield _named(_BY_NAME[field], inside["name"], within, inside)
        elif field == "imagePullSecrets" and isinstance(inside, list):
            names = (item.get("name") for item in inside if isinstance(item, dict))
            yield from (Named(SECRET, name) for name in names if isinstance(name, str))
        yield from named(inside, field if field in (*_ENVIRONMENT, _VOLUMES) else within)


def _named(kind: Kind, name: str, within: str, holder: dict[str, Any]) -> Named:
    items = holder.get("items")
    holders = [holder, *(item for item in (items if isinstance(items, list) else ()) if isinstance(item, dict))]
    keys = tuple(key for each in holders if isinstance(key := each.get("key"), str) and key)
    return Named(kind, name, within, keys, holder.get("optional") is True)
