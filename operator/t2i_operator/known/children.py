"""The objects that belong to resources, each kept as a digest of a few hundred bytes and never as an object."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from t2i_operator import naming
from t2i_operator.known import catalogue, drift
from t2i_operator.known.grafana import synced
from t2i_operator.known.identity import Id, controller, owner_uid
from t2i_operator.known.rollout import Rollout, collector_rollout, rollout
from t2i_operator.known.route_status import RouteStatus, route_status
from t2i_operator.kube.kinds import DEPLOYMENT, GRAFANA_DASHBOARD, OPENTELEMETRY_COLLECTOR, Kind, Object
from t2i_operator.naming import Key

_READ_ROLLOUT = {DEPLOYMENT: rollout, OPENTELEMETRY_COLLECTOR: collector_rollout}


class Child(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is remembered of an object; `last_applied` is what an apply of ours came back as (see `drift`).

    `watched`: it carries the label that the streams select by; of one that does not, no event tells.
    `orphan`: nothing but our annotation says whose it is. `synced`: what the Grafana operator says (see `grafana`).
    """

    uid: str
    version: int
    key: Key | None
    owner: str
    fingerprint: bytes
    last_applied: tuple[bytes, bytes] | None = None
    rollout: Rollout | None = None
    route_status: RouteStatus | None = None
    deleting: bool = False
    watched: bool = True
    synced: bool | None = None
    orphan: bool = False

    def in_sync(self, expected: bytes) -> bool:
        """Tell whether the object says what is wanted, as far as our own apply could make it."""
        return self.fingerprint == expected or self.last_applied == (expected, self.fingerprint)


class Children:
    """The digests, by object and by resource."""

    def __init__(self) -> None:
        self._children: dict[Id, Child] = {}
        self._of: defaultdict[Key, set[Id]] = defaultdict(set)
        self._gone: dict[Id, int] = {}

    @contextmanager
    def awaiting(self, identity: Id) -> Iterator[None]:
        """Remember deletions while a request about the object is under way: its answer may be the older news."""
        self._gone.setdefault(identity, 0)
        try:
            yield
        finally:
            self._gone.pop(identity, None)

    def get(self, identity: Id) -> Child | None:
        """Return the digest of an object that carries our label."""
        return self._children.get(identity)

    def of(self, key: Key, owner: str) -> Iterator[tuple[Id, Child]]:
        """List the objects whose owner is the resource with this uid."""
        for identity in sorted(self._of.get(key, ())):
            child = self._children[identity]
            if child.owner == owner:
                yield identity, child

    def knows(self, identity: Id, version: int) -> bool:
        """Tell whether this version of an object, or a newer one, has been seen: each write of ours comes back."""
        return self._newest(identity) >= version

    def successor_is_synced(self, identity: Id) -> bool:
        """Tell whether a Grafana has the GrafanaDashboard of an object's name."""
        successor = self.get(identity._replace(kind=GRAFANA_DASHBOARD))
        return successor is not None and bool(successor.synced)

    def observe(self, kind: Kind, live: Object) -> set[Key]:
        """Take note of an object as a watch or a read shows it; return the resources it concerns when it changed."""
        if self.knows(_identity(kind, live), int(live["metadata"]["resourceVersion"])):
            return set()  # before it is digested, which costs more
        identity, known, child = self._digest(kind, live)
        self._store(identity, child)
        return _concerned(known, child)

    def applied(self, kind: Kind, live: Object, expected: bytes) -> Child:
        """Take note of what our own apply came back as; a watch may have brought what happened after it first."""
        identity, known, child = self._digest(kind, live)
        same = expected == child.fingerprint
        last_applied = (child.fingerprint if same else expected, child.fingerprint)
        child = msgspec.structs.replace(child, last_applied=last_applied)
        if self._newest(identity) <= child.version:
            self._store(identity, child)
        elif known is not None and known.uid == child.uid:
            self._store(identity, msgspec.structs.replace(known, last_applied=child.last_applied))
        return child

    def interned(self, key: Key, expected: dict[Id, bytes]) -> dict[Id, bytes]:
        """Return an equal dictionary of keys and digests that are stored here already, saving 200 bytes an object."""
        held = {identity: identity for identity in self._of.get(key, ())}
        return {
            held.get(identity, identity): self._children[identity].fingerprint
            if identity in held and self._children[identity].fingerprint == fingerprint
            else fingerprint
            for identity, fingerprint in expected.items()
        }

    def forget(self, kind: Kind, live: Object) -> set[Key]:
        """Take note that an object went, or no longer carries our label."""
        identity = _identity(kind, live)
        version = int(live["metadata"]["resourceVersion"])
        if self._newest(identity) > version:
            return set()
        self._note_gone(identity, version)
        return self.drop(identity)

    def drop(self, identity: Id) -> set[Key]:
        """Forget an object; return the resources it concerned."""
        known = self._children.pop(identity, None)
        if known is None or known.key is None:
            return set()
        self._unlist(identity, known.key)
        return {known.key}

    def retain(self, kind: Kind, namespace: str | None, names: set[tuple[str, str]], version: int) -> set[Key]:
        """Drop what a list of this version no longer shows; what was applied since then is newer than the list."""
        gone = [
            identity
            for identity in self._children.keys() | self._gone.keys()
            if identity.kind == kind
            and namespace in (None, identity.namespace)
            and (identity.namespace, identity.name) not in names
            and self._newest(identity) <= version
        ]
        for identity in gone:
            self._note_gone(identity, version)
        return {key for identity in gone for key in self.drop(identity)}

    def _newest(self, identity: Id) -> int:
        """Return the version of the last news of an object; versions grow across the deletion of an object."""
        known = self._children.get(identity)
        return max(known.version if known is not None else 0, self._gone.get(identity, 0))

    def _note_gone(self, identity: Id, version: int) -> None:
        if identity in self._gone:
            self._gone[identity] = version

    def _store(self, identity: Id, child: Child) -> None:
        known = self._children.get(identity)
        if known is not None and known.key is not None and known.key != child.key:
            self._unlist(identity, known.key)
        self._children[identity] = child
        if child.key is not None:
            self._of[child.key].add(identity)

    def _digest(self, kind: Kind, live: Object) -> tuple[Id, Child | None, Child]:
        """Return which object it is, what was known and what is to be; siblings share what they have in common."""
        metadata, identity = live["metadata"], _identity(kind, live)
        known, key, owner = self._children.get(identity), _key(kind, metadata), owner_uid(metadata)
        sibling = next((self._children[each] for each in self._of.get(key, ())), None) if key else None
        if sibling is not None and sibling.key is not None:
            key, owner = sibling.key, sibling.owner if sibling.owner == owner else owner
            identity = identity._replace(namespace=key.namespace)
        child = Child(
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            key=key,
            owner=owner,
            fingerprint=drift.observed(live),
            last_applied=known.last_applied if known is not None and known.uid == metadata["uid"] else None,
            rollout=_READ_ROLLOUT[kind](live) if kind in _READ_ROLLOUT else None,
            route_status=route_status(kind, live),
            deleting="deletionTimestamp" in metadata,
            watched=metadata.get("labels", {}).get(naming.MANAGED_BY_LABEL) == naming.OPERATOR,
            synced=synced(live) if kind == GRAFANA_DASHBOARD else None,
            orphan=controller(metadata) is None,
        )
        return identity, known, child

    def _unlist(self, identity: Id, key: Key) -> None:
        self._of[key].discard(identity)
        if not self._of[key]:
            del self._of[key]


def _identity(kind: Kind, live: Object) -> Id:
    return Id(kind, live["metadata"]["namespace"], live["metadata"]["name"])


def _key(kind: Kind, metadata: Object) -> Key | None:
    """Return which resource an object counts for: none if it is a copy, which bears our marks under another name."""
    owner = controller(metadata)
    ours = owner is not None and owner.get("kind") == naming.RESOURCE_KIND
    name = owner["name"] if owner is not None and ours else metadata.get("labels", {}).get(naming.INSTANCE_LABEL)
    return Key(metadata["namespace"], name) if name and catalogue.lists(kind, metadata["name"], name) else None


def _concerned(known: Child | None, child: Child) -> set[Key]:
    """Return nobody for an event that changes nothing we look at, such as a status that is not read."""
    if known is not None and msgspec.structs.replace(known, version=child.version) == child:
        return set()
    return {key for key in (known.key if known else None, child.key) if key is not None}
