"""Objects as a person reads them: YAML, and what differs in it; values of Secrets are never shown."""

import difflib
import re
import sys
from collections.abc import Iterable
from typing import Any

import yaml

from t2i_operator.known.identity import Id
from t2i_operator.kube.kinds import SECRET, Object

SAME, DIFFERS = 0, 1  # as diff(1) exits
_VALUES = ("data", "stringData")
# Where `kubectl apply` keeps what it was given, a Secret's values as well.
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# What the API server counts and keeps for itself; a dry run counts on.
_BOOKKEEPING = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "uid")


def documents(bodies: Iterable[Object]) -> str:
    """Return objects one below the other."""
    return "---\n".join(_text(_masked(body, "***")) for body in bodies)


def change(identity: Id, before: Object | None, after: Object | None) -> str:
    """Return how an object would change as a unified difference, "" when it would not; None is no object."""
    if identity.kind == SECRET:
        before, after = _told_apart(before, after)
    old, new = (_text(_said(each)).splitlines(keepends=True) if each is not None else [] for each in (before, after))
    name = f"{identity.kind.plural}/{identity.namespace}/{identity.name}"
    return "".join(difflib.unified_diff(old, new, f"live/{name}", f"wanted/{name}"))


def write_change(identity: Id, before: Object | None, after: Object | None) -> int:
    """Print how an object would change; return DIFFERS when it would."""
    told = change(identity, before, after)
    sys.stdout.write(told)
    return DIFFERS if told else SAME


def _said(body: Object) -> Object:
    """Return what an object says, without what the API server keeps for itself."""
    metadata = {name: value for name, value in body["metadata"].items() if name not in _BOOKKEEPING}
    return {name: value for name, value in body.items() if name != "status"} | {"metadata": metadata}


def _told_apart(before: Object | None, after: Object | None) -> tuple[Object | None, Object | None]:
    """Mask the values of a Secret so that those differ that changed."""
    old, new = (_values(each or {}) for each in (before, after))
    changed = {key for key in old.keys() & new.keys() if old[key] != new[key]}
    masks = ("*** (before)", "*** (after)")
    one, other = (_masked(each, mask, changed) for each, mask in zip((before, after), masks, strict=True))
    return one, other


def _values(body: Object) -> Object:
    return {key: value for part in _VALUES for key, value in body.get(part, {}).items()}


def _masked(body: Any, mask: str, changed: set[str] | None = None) -> Any:
    """Hide a Secret's values behind a mask; those that did not change, when that is known, behind a plain one."""
    if body is None or body["kind"] != SECRET.name:
        return body
    hidden = {key: mask if changed is None or key in changed else "***" for key in _values(body)}
    values: Object = {part: {key: hidden[key] for key in body[part]} for part in _VALUES if part in body}
    annotations = body["metadata"].get("annotations", {})
    if _LAST_APPLIED in annotations:
        values["metadata"] = {**body["metadata"], "annotations": {**annotations, _LAST_APPLIED: "***"}}
    return {**body, **values}


# What kubectl (sigs.k8s.io/yaml) reads as a number or a truth once it has taken `_` away, and PyYAML as text without
# quotes: digits and an `e` near their end, as one checksum in six thousand has, 089, 0o17, y.
_NO_TEXT_FOR_KUBECTL = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?|[-+]?0o[0-7]+|[yYnN]")


class _Dumper(yaml.SafeDumper):
    """Writes many lines as many lines, and text so that every reader takes it for text."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else "'" if _NO_TEXT_FOR_KUBECTL.fullmatch(value.replace("_", "")) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _string)


def _text(body: Object) -> str:
    text: str = yaml.dump(body, Dumper=_Dumper, sort_keys=True, width=120, allow_unicode=True)
    return text
