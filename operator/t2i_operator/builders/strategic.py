"""Strategic merge over a PodTemplateSpec: what `kubectl patch` would make of `spec.podTemplate`.

The API server merges strategically only what is stored, and the operator needs the result before it applies, so the
merge keys of the pod's types are stated here (source: `patchMergeKey` in k8s.io/api/core/v1/types.go).
"""

from typing import Any

from t2i_operator.kube.kinds import Object

# By the name of the list; lists that are not named are replaced whole, as in the API.
_MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "ephemeralContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
    "resourceClaims": "name",
    "ownerReferences": "uid",
}
# Unions: setting one member has to clear the others (`patchStrategy: retainKeys`).
_RETAIN_KEYS = frozenset({"volumes"})


# Means what null does, which `kubectl apply` loses inside lists.
_DELETE = {"$patch": "delete"}


class InvalidPatchError(ValueError):
    """The user's error: the patch is not a strategic merge patch; the text names the field."""


def merge(original: Object, patch: Object) -> Object:
    """Return the patched object; neither argument is changed."""
    return _object(original, patch, "")


def _object(original: Object, patch: Object, path: str) -> Object:
    directive = patch.get("$patch")
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise InvalidPatchError(f"{path or 'podTemplate'}.$patch: {directive!r} is not one of merge, replace, delete")
    merged = dict(original)
    for name, value in patch.items():
        if name.startswith("$"):
            continue
        if value is None or value == _DELETE:
            merged.pop(name, None)
        else:
            merged[name] = _value(name, merged.get(name), value, f"{path}.{name}".lstrip("."))
    _check_lists(patch, path)
    for name, values in _directives(patch, "$deleteFromPrimitiveList/"):
        merged[name] = _without(merged.get(name, []), values, f"{path}.{name}".lstrip("."))
    retained = patch.get("$retainKeys")
    return merged if retained is None else {name: value for name, value in merged.items() if name in retained}


def _without(original: Any, values: list[Any], path: str) -> list[Any]:
    if not isinstance(original, list):
        raise InvalidPatchError(f"{path}: is not a list that $deleteFromPrimitiveList could take from")
    return [item for item in original if item not in values]


def _check_lists(patch: Object, path: str) -> None:
    for name, value in patch.items():
        if name.startswith(("$retainKeys", "$deleteFromPrimitiveList/")) and not isinstance(value, list):
            raise InvalidPatchError(f"{path or 'podTemplate'}.{name}: {value!r} is not a list")


def _directives(patch: Object, prefix: str) -> list[tuple[str, Any]]:
    return [(name.removeprefix(prefix), value) for name, value in patch.items() if name.startswith(prefix)]


def _value(name: str, original: Any, patch: Any, path: str) -> Any:
    if isinstance(patch, dict):
        return _object(original if isinstance(original, dict) else {}, patch, path)
    if isinstance(patch, list) and name in _MERGE_KEYS:
        return _list(name, original if isinstance(original, list) else [], patch, path)
    return patch


def _list(name: str, original: list[Any], patch: list[Any], path: str) -> list[Any]:
    """Merge items by key: those of the patch change theirs in place, new ones come at the end."""
    key = _MERGE_KEYS[name]
    if any(item == {"$patch": "replace"} for item in patch):
        return [item for item in patch if item != {"$patch": "replace"}]
    merged = list(original)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise InvalidPatchError(f"{path}: every item needs {key}, by which the list is merged")
        where = f"{path}[{item[key]}]"
        at = next((at for at, known in enumerate(merged) if _has(known, key, item[key])), None)
        if item.get("$patch") == "delete":
            merged = [known for known in merged if not _has(known, key, item[key])]
        elif at is None:
            merged.append(_object({}, item, where))
        else:
            merged[at] = _item(name, merged[at], item, key, where)
    return merged


def _has(known: Any, key: str, value: Any) -> bool:
    """Tell whether an item has the key's value; what an earlier `$patch: replace` brought may be no object."""
    return isinstance(known, dict) and bool(known.get(key) == value)


def _item(name: str, original: Object, patch: Object, key: str, path: str) -> Object:
    if name in _RETAIN_KEYS and set(patch) - {key} and "$retainKeys" not in patch:
        original = {member: value for member, value in original.items() if member in patch}
    return _object(original, patch, path)
