"""Takes over what others put beside a field of ours when the API server refuses to hold both.

`kubectl set env` turns our `valueFrom` into a `value`, an edit turns a probe's `httpGet` into `exec`: our next apply
would put ours beside theirs, and the two are refused together. Who owns a field and leaves it out of an apply takes it
away, so their fields are booked to us first. That writes no field: the pods are rolled once, by the apply.
"""

import copy
from typing import Any

from t2i_operator import naming
from t2i_operator.known import drift
from t2i_operator.kube.kinds import Object


def claim(desired: Object, live: Object) -> Object | None:
    """Return the merge patch that makes such fields ours; None when there are none."""
    entries = copy.deepcopy(live["metadata"].get("managedFields", []))
    ours = next((entry for entry in entries if _is_ours(entry)), None)
    if ours is None:
        return None
    # Labels and annotations do not exclude each other: nothing has to go for ours to come back.
    wanted = {name: value for name, value in desired.items() if name not in ("apiVersion", "kind", "metadata")}
    owned, found = drift.owned_fields(live), False
    for entry in entries:
        if entry.get("manager") == naming.FIELD_MANAGER or entry.get("subresource"):
            continue
        taken = _beside(wanted, owned, entry["fieldsV1"])
        _remove(entry["fieldsV1"], taken)
        drift.merge(ours["fieldsV1"], taken)
        found = found or bool(taken)
    if not found:
        return None
    kept = [entry for entry in entries if entry["fieldsV1"]]
    return {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"], "managedFields": kept}}


def _is_ours(entry: Object) -> bool:
    applied = entry.get("operation") == "Apply" and not entry.get("subresource")
    return applied and entry.get("manager") == naming.FIELD_MANAGER


def _beside(wanted: Any, ours: Object, theirs: Object) -> Object:
    """Pick their fields out of every block that has lost one of ours."""
    if isinstance(wanted, list):
        return _beside_items(wanted, ours, theirs)
    if not isinstance(wanted, dict):
        return {}
    lost = any(f"f:{name}" not in ours for name, value in wanted.items() if value != [])
    taken: Object = {}
    for name, fields in theirs.items():
        value = wanted.get(name.removeprefix("f:"))
        if value is not None and name != "f:metadata":
            deeper = _beside(value, ours.get(name, {}), fields)
            if deeper:
                taken[name] = deeper
        elif value is None and lost and name.startswith("f:"):
            taken[name] = {".": {}, **fields} if fields else {}
    return taken


def _beside_items(wanted: list[Any], ours: Object, theirs: Object) -> Object:
    taken = {
        name: _beside(item, ours.get(name, {}), fields)
        for name, fields in theirs.items()
        for item in wanted
        if name.startswith("k:") and drift.is_item(name, item)
    }
    return {name: fields for name, fields in taken.items() if fields}


def _remove(fields: Object, taken: Object) -> None:
    """Take fields out of an entry, and the blocks that are empty then."""
    for name, inside in taken.items():
        if not inside or "." in inside:
            fields.pop(name)
            continue
        _remove(fields[name], inside)
        if not fields[name]:
            fields.pop(name)
