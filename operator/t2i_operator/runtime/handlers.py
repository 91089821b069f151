"""From events to the queue: Kopf brings the resources, our own streams their children."""

import sys
from typing import Any

import kopf

from t2i_operator import naming
from t2i_operator.known.cache import Cache
from t2i_operator.known.children import Children
from t2i_operator.known.identity import Id
from t2i_operator.known.pods import Pods
from t2i_operator.known.resources import Resources
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.errors import ApiError
from t2i_operator.kube.kinds import Kind, Object
from t2i_operator.kube.messages import ObjectMeta
from t2i_operator.naming import Key
from t2i_operator.runtime.queue import Queue

_ABSENCES = {403: Absence.FORBIDDEN, 404: Absence.MISSING}


def registry(resources: Resources, queue: Queue[Key]) -> kopf.OperatorRegistry:
    """Register with Kopf; `on.event` alone writes neither annotations nor finalizers."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.event(naming.GROUP, naming.VERSION, naming.PLURAL, registry=handlers)
    async def on_resource(event: kopf.RawEvent, **_: Any) -> None:
        live: Object = dict(event["object"])
        key = Key(live["metadata"]["namespace"], live["metadata"]["name"])
        if event["type"] == "DELETED":
            resources.forget(live)
            queue.forget(key)
            queue.add(key)
        elif resources.observe(live):
            queue.add(key)

    return handlers


class ChildSink:
    """Takes the children of one kind."""

    def __init__(self, kind: Kind, namespace: str | None, children: Children, queue: Queue[Key]) -> None:
        self._kind, self._namespace, self._children, self._queue = kind, namespace, children, queue

    def knows(self, metadata: ObjectMeta) -> bool:
        """Pass over what our own writes came back as."""
        return self._children.knows(Id(self._kind, metadata.namespace, metadata.name), int(metadata.resource_version))

    def seen(self, live: Object) -> None:
        """Queue whom it concerns."""
        self._add(self._children.observe(self._kind, live))

    def gone(self, live: Object) -> None:
        """Queue whom it concerned."""
        self._add(self._children.forget(self._kind, live))

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        """Queue whose objects went while the stream was down."""
        self._add(self._children.retain(self._kind, self._namespace, names, version))

    def _add(self, keys: set[Key]) -> None:
        for key in keys:
            self._queue.add(key)


class OptionalSink(ChildSink):
    """Takes the children of a kind that may not be installed; its coming or going concerns every resource."""

    def __init__(self, kind: Kind, namespace: str | None, cache: Cache, queue: Queue[Key]) -> None:
        super().__init__(kind, namespace, cache.children, queue)
        self._cache = cache

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        """Queue everybody when the kind was not served before."""
        super().listed(names, version)
        self._note(None)

    def absent(self, error: ApiError) -> None:
        """Forget the objects, which went with their kind or out of sight."""
        super().listed(set(), sys.maxsize)
        self._note(_ABSENCES.get(error.status) or Absence.failing(error.message))

    def _note(self, absence: Absence | None) -> None:
        if self._cache.absences.note(self._kind, self._namespace, absence):
            self._add(set(self._cache.resources.keys(self._namespace)))


class PodSink:
    """Takes the pods, for what they say about a rollout."""

    def __init__(self, namespace: str | None, pods: Pods, queue: Queue[Key]) -> None:
        self._namespace, self._pods, self._queue = namespace, pods, queue

    def knows(self, _: ObjectMeta) -> bool:
        """Look at all of them."""
        return False

    def seen(self, live: Object) -> None:
        """Queue whom it concerns."""
        self._add(self._pods.observe(live))

    def gone(self, live: Object) -> None:
        """Queue whom it concerned."""
        self._add(self._pods.forget(live))

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        """Queue whose objects went while the stream was down."""
        for key in self._pods.retain(self._namespace, names):
            self._queue.add(key)

    def _add(self, key: Key | None) -> None:
        if key is not None:
            self._queue.add(key)


class ReloadSink:
    """Takes the users' own Secrets that carry the reload label."""

    def __init__(self, version_cache: VersionCache, resources: Resources, queue: Queue[Key]) -> None:
        self._version_cache, self._resources, self._queue = version_cache, resources, queue

    def knows(self, _: ObjectMeta) -> bool:
        """Look at all of them."""
        return False

    def seen(self, live: Object) -> None:
        """Queue the resources of its namespace; a look that finds nothing new costs next to nothing."""
        metadata = live["metadata"]
        self._version_cache.changed(metadata["namespace"], metadata["name"])
        for key in self._resources.keys(metadata["namespace"]):
            self._queue.add(key)

    gone = seen

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        """Nothing to do: a Secret that went while the stream was down is found by the poll."""
