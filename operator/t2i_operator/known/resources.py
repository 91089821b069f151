"""The custom resources as last seen, each kept as the JSON it came as: a decoded tree takes ten times the memory."""

from typing import Any

import msgspec

from t2i_operator.known import drift
from t2i_operator.kube.kinds import Object
from t2i_operator.naming import Key


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One resource; `content` is its `{metadata, spec}` and `status` what we said of it, both JSON."""

    uid: str
    generation: int
    version: int
    deleting: bool
    content: bytes
    status: bytes

    def body(self) -> Object:
        """Return `{metadata, spec}`."""
        decoded: Object = msgspec.json.decode(self.content)
        return decoded

    def status_object(self) -> Object:
        """Return what is stored of what we said."""
        decoded: Object = msgspec.json.decode(self.status)
        return decoded


class Resources:
    """All resources that are there, whatever their class."""

    def __init__(self) -> None:
        self._seen: dict[Key, Seen] = {}

    def get(self, key: Key) -> Seen | None:
        """Return what was last seen; None when it is gone."""
        return self._seen.get(key)

    def keys(self, namespace: str | None = None) -> list[Key]:
        """List the resources of one namespace, or all."""
        return [key for key in self._seen if namespace in (None, key.namespace)]

    def observe(self, live: Object) -> bool:
        """Take note of a resource; tell whether anything changed that a reconciliation looks at."""
        key, seen = _key(live), _seen(live)
        known = self._seen.get(key)
        if known is not None and known.version >= seen.version:
            return False  # old news, also of a resource that had the name before: versions grow across a deletion
        self._seen[key] = seen
        return known is None or _told(known) != _told(seen)

    def answered(self, live: Object) -> None:
        """Take note of what our own status write came back as, unless somebody edited the spec just before.

        Such an edit has to be seen by its own event: that queues the resource, while our answer does not.
        """
        key, seen = _key(live), _seen(live)
        known = self._seen.get(key)
        if known is not None and _edit(known) == _edit(seen) and known.version < seen.version:
            self._seen[key] = seen

    def forget(self, live: Object) -> None:
        """Take note of a deletion, unless another took the name since."""
        self.drop(_key(live), live["metadata"]["uid"])

    def drop(self, key: Key, uid: str) -> None:
        """Forget a resource that turned out to be gone, but not another that took its name meanwhile."""
        known = self._seen.get(key)
        if known is not None and known.uid == uid:
            del self._seen[key]


def _key(live: Object) -> Key:
    return Key(live["metadata"]["namespace"], live["metadata"]["name"])


def _edit(seen: Seen) -> tuple[Any, ...]:
    return seen.uid, seen.generation, seen.deleting


def _told(seen: Seen) -> tuple[Any, ...]:
    return *_edit(seen), seen.status


def _seen(live: Object) -> Seen:
    metadata = live["metadata"]
    content = {
        "metadata": {name: metadata[name] for name in ("name", "namespace", "uid", "generation")},
        "spec": live.get("spec", {}),
    }
    return Seen(
        uid=metadata["uid"],
        generation=metadata["generation"],
        version=int(metadata["resourceVersion"]),
        deleting="deletionTimestamp" in metadata,
        content=msgspec.json.encode(content),
        status=msgspec.json.encode(drift.own_status(live), order="sorted"),
    )
