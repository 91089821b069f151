"""Whether a live object still says what was applied, seen through the API server's own record of who set which field.

A field that somebody changes leaves our `managedFields` entry, so the values of the fields that are still in it,
compared with what is wanted, show every change and no default, no foreign field. What the API server or a webhook
rewrites at each apply would look like drift for ever: it is known by what came back from our own apply (`last_applied`,
see `children.py`).
"""

import functools
import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import msgspec

from t2i_operator import naming, spec
from t2i_operator.kube.kinds import Object

# `target`: of an autoscaler's metric, whose values are quantities among words that no reading as one would change.
_QUANTITIES = spec.QUANTITIES | {"target"}
# They name the object rather than say something about it; no managedFields entry holds them.
IDENTITY = frozenset({"name", "namespace"})


def expected(desired: Object) -> bytes:
    """Fingerprint what is wanted, as `observed` will find it when nothing was changed."""
    stated = {name: value for name, value in desired.items() if name not in ("apiVersion", "kind", "metadata")}
    metadata = {name: value for name, value in desired["metadata"].items() if name not in IDENTITY}
    return _fingerprint({**stated, "metadata": metadata})


def observed(live: Object) -> bytes:
    """Fingerprint the values of the fields that are ours in a live object."""
    return _fingerprint(project(live, owned_fields(live)))


def own_status(live: Object) -> Object:
    """Return what of a live object's status is ours; others may say things of their own there."""
    fields = owned_fields(live, subresource="status").get("f:status")
    found: Object = project(live.get("status", {}), fields) if fields else {}
    return found


def same(one: Object, other: Object) -> bool:
    """Tell whether two objects say the same, whatever the order of what has a key."""
    return bool(_canonical(one) == _canonical(other))


def owned_fields(live: Object, manager: str = naming.FIELD_MANAGER, subresource: str = "") -> Object:
    """Return the `fieldsV1` of a manager; a webhook's changes to our own apply are booked to us as an Update."""
    entries: list[Object] = [
        entry.get("fieldsV1", {})
        for entry in live["metadata"].get("managedFields", ())
        if entry.get("manager") == manager and entry.get("subresource", "") == subresource
    ]
    if len(entries) == 1:  # nearly always: merging is a copy
        return entries[0]
    fields: Object = {}
    for each in entries:
        merge(fields, each)
    return fields


def merge(into: Object, fields: Object) -> None:
    """Add one `fieldsV1` to another."""
    for name, inside in fields.items():
        merge(into.setdefault(name, {}), inside)


def project(value: Any, fields: Object) -> Any:
    """Cut a value down to the fields; a leaf is owned whole, and what is ours but not there was stored as nothing."""
    if not fields:
        return value
    if isinstance(value, dict):
        return {name: project(value.get(name), inside) for name, inside in _children(fields)}
    if isinstance(value, list):
        return list(_items(value, fields))
    return value


def _children(fields: Object) -> Iterator[tuple[str, Object]]:
    return ((name[2:], inside) for name, inside in fields.items() if name.startswith("f:"))


def _items(value: list[Any], fields: Object) -> Iterator[Any]:
    for name, inside in fields.items():
        if name.startswith("k:"):
            key = msgspec.json.decode(name[2:])
            yield from (project(item, inside) for item in value if _has(item, key))
        elif name.startswith("v:"):
            element = msgspec.json.decode(name[2:])
            yield from (item for item in value if item == element)


def _has(item: Any, key: Object) -> bool:
    return isinstance(item, dict) and all(item.get(name) == value for name, value in key.items())


def is_item(name: str, item: Any) -> bool:
    """Tell whether a `k:` of `fieldsV1` names a wanted item; what that leaves out the API server fills in."""
    key = msgspec.json.decode(name[2:])
    return isinstance(item, dict) and all(item.get(part, value) == value for part, value in key.items())


@functools.cache
def _key() -> bytes:
    """Make the process's own key: fingerprints are of Secrets too, and nobody shall try out values against one."""
    return secrets.token_bytes(32)


def _fingerprint(value: Any) -> bytes:
    plain = msgspec.json.encode(_canonical(value), order="sorted")
    return hashlib.blake2b(plain, key=_key(), digest_size=16).digest()


def _canonical(value: Any, quantities: bool = False) -> Any:
    """Bring to one spelling what the API server may spell otherwise: quantities, order of keyed lists, zeros.

    An empty list states no field that could be owned, so it is left out.
    """
    if isinstance(value, dict):
        return {
            name: _quantity(inside)
            if quantities or (name in spec.QUANTITY and isinstance(inside, str))
            else (inside or None)  # without a call, as most values are
            if isinstance(inside, str)
            else _canonical(inside, quantities=name in _QUANTITIES)
            for name, inside in value.items()
            if inside != []
        } or None
    if isinstance(value, list):
        items = [_canonical(item) for item in value]
        if len(items) > 1 and isinstance(items[0], dict):
            return sorted(items, key=lambda item: msgspec.json.encode(item, order="sorted"))
        return items or None
    return value or None


def _quantity(value: Any) -> Any:
    """Spell a quantity one way; what is none is left as it is, for the API server to refuse."""
    try:
        return format(spec.amount(value).normalize(), "f")
    except ValueError:
        return value
