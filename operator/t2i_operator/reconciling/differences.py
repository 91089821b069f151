"""Which of the wanted fields are no longer ours, and what is left to want without some of them."""

import functools
from collections.abc import Callable, Container, Iterator
from typing import Any, NamedTuple

import msgspec

from t2i_operator import naming
from t2i_operator.known import drift
from t2i_operator.kube.kinds import Object

# What tells the items of Kubernetes' lists apart, in the order of what people go by.
_LABELS = ("name", "mountPath", "devicePath", "containerPort", "port", "topologyKey", "ip", "uid")


class Difference(NamedTuple):
    """A field that is not as it was applied, and who has it now; manager "" when it was taken away.

    `agrees`: by now it says what is wanted.
    """

    field: str
    manager: str
    agrees: bool = False


def differences(desired: Object, live: Object) -> list[Difference]:
    """Name the wanted fields that are no longer ours, for events, logs and conditions; the slow and exact way."""
    ours = drift.owned_fields(live)
    others: dict[str, Object] = {}
    for entry in live["metadata"].get("managedFields", ()):
        manager = entry.get("manager", "")
        if manager != naming.FIELD_MANAGER and not entry.get("subresource"):
            drift.merge(others.setdefault(manager, {}), entry.get("fieldsV1", {}))
    stated = {name: value for name, value in desired.items() if name not in ("apiVersion", "kind")}
    stated["metadata"] = {name: value for name, value in desired["metadata"].items() if name not in drift.IDENTITY}
    return list(_missing(stated, live, ours, others, ""))


def _missing(
    wanted: Object, live: Any, ours: Object | None, others: dict[str, Object], path: str
) -> Iterator[Difference]:
    for name, value in wanted.items():
        found = live.get(name) if isinstance(live, dict) else None
        where = _below(path, name)
        inside = None if ours is None else ours.get(f"f:{name}")
        theirs = _theirs(others, functools.partial(_field, name))
        if inside == {}:
            continue
        if isinstance(value, dict) and value:
            yield from _missing(value, found, inside, theirs, where)
        elif isinstance(value, list) and inside is not None:
            yield from _missing_items(value, found, inside, theirs, where)
        elif inside is None:
            yield Difference(where, next(iter(theirs), ""), agrees=_says(found, value))


def _missing_items(
    wanted: list[Any], live: Any, ours: Object, others: dict[str, Object], path: str
) -> Iterator[Difference]:
    for item in wanted:
        inside = _item_fields(item, ours)
        theirs = _theirs(others, functools.partial(_item_fields, item))
        where = f"{path}[{_label(item)}]"
        found = _live_item(item, live, [ours, *others.values()])
        if inside is None:
            yield Difference(where, next(iter(theirs), ""), agrees=_says(found, item))
        elif inside:
            yield from _missing(item, found, inside, theirs, where)


def _live_item(wanted: Any, live: Any, fields: list[Object]) -> Any:
    """Return the item by the key that a list of this kind has, which only those who have some of its items name."""
    items = live if isinstance(live, list) else []
    key = next((name for each in fields for name in each if name.startswith("k:") and drift.is_item(name, wanted)), "")
    return next((item for item in items if (drift.is_item(key, item) if key else item == wanted)), None)


def _says(live: Any, wanted: Any) -> bool:
    """Tell whether all that is wanted is there; what the API server filled in beside is nobody's wish."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(_says(live.get(name), value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(live, list):
        return len(live) == len(wanted) and all(map(_says, live, wanted))
    return bool(live == wanted)


def _field(name: str, fields: Object) -> Object | None:
    return fields.get(f"f:{name}")


def _theirs(others: dict[str, Object], inside: Callable[[Object], Object | None]) -> dict[str, Object]:
    """Go one step down into what others have; who has a leaf has all below it."""
    found = {manager: inside(fields) if fields else {} for manager, fields in others.items()}
    return {manager: fields for manager, fields in found.items() if fields is not None}


def _item_fields(item: Any, fields: Object) -> Object | None:
    for name, inside in fields.items():
        if name.startswith("k:") and drift.is_item(name, item):
            found: Object = inside
            return found
        if name.startswith("v:") and msgspec.json.decode(name[2:]) == item:
            return {}
    return None


def without(desired: Object, fields: Container[str]) -> Object:
    """Leave fields out, named as `differences` does, and the blocks that are empty then; their owners keep them."""
    kept: Object = _cut(desired, "", fields)
    return kept


def _cut(value: Any, path: str, fields: Container[str]) -> Any:
    if isinstance(value, dict):
        parts = [(name, _below(path, name), inside) for name, inside in value.items()]
        cut = [(name, inside, _cut(inside, where, fields)) for name, where, inside in parts if where not in fields]
        return {name: left for name, inside, left in cut if left or not inside}
    if isinstance(value, list):
        labelled = [(f"{path}[{_label(item)}]", item) for item in value]
        return [_cut(item, where, fields) for where, item in labelled if where not in fields]
    return value


def _below(path: str, name: str) -> str:
    return f"{path}.{name}".lstrip(".")


def _label(item: Any) -> Any:
    return next((item[name] for name in _LABELS if name in item), "") if isinstance(item, dict) else item
