"""Notices when a Secret that is named appears, changes or vanishes, by its version alone: values are read only then.

ConfigMaps are noticed alike; `references` says how the two are told apart.

A watch over all Secrets of the cluster would be simpler; it would also hold every password of it in memory.
"""

import time
from collections.abc import Callable, Iterable

from t2i_operator.known.references import read_source
from t2i_operator.kube.cluster import Cluster

# A change is seen when a version that was read before it is too old, at the poll after that: the two together, and what
# a pass takes, have to stay within the minute that is promised with the default poll of 45 seconds.
_MAX_AGE_SECONDS = 10.0

Versions = dict[str, tuple[str, str] | None]


def max_age(poll_seconds: float) -> float:
    """Return how many seconds a version may be remembered where every resource asks once in `poll_seconds`.

    Less than those, so that each poll of a resource that nobody else shares the Secret with does ask.
    """
    return min(_MAX_AGE_SECONDS, poll_seconds - 1)


class VersionCache:
    """Remembers versions for `max_age_seconds`, so that a busy resource does not ask at every event."""

    def __init__(
        self, cluster: Cluster, *, max_age_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster, self._max_age, self._clock = cluster, max_age_seconds, clock
        self._known: dict[tuple[str, str], tuple[float, tuple[str, str] | None]] = {}
        self._expired_at = clock()
        self._changes = 0

    @property
    def remembered(self) -> int:
        """How many versions are held."""
        return len(self._known)

    async def versions(self, namespace: str, names: Iterable[str]) -> Versions:
        """Return uid and resourceVersion of each source, None where there is none."""
        return {name: await self._version(namespace, name) for name in names}

    def changed(self, namespace: str, name: str) -> None:
        """Forget a version, because a labelled Secret's event says that it is old."""
        self._known.pop((namespace, name), None)
        self._changes += 1

    async def _version(self, namespace: str, name: str) -> tuple[str, str] | None:
        known = self._known.get((namespace, name))
        if known is not None and self._clock() - known[0] < self._max_age:
            return known[1]
        self._expire()
        started, changes = self._clock(), self._changes
        kind, plain = read_source(name)
        live = await self._cluster.get(kind, namespace, plain, metadata_only=True)
        version = None if live is None else (live["metadata"]["uid"], live["metadata"]["resourceVersion"])
        if changes == self._changes:  # or an event came meanwhile, and what was read may be from before it
            self._known[namespace, name] = (started, version)
        return version

    def _expire(self) -> None:
        """Drop what nobody asked for since it went stale, once in that time."""
        now = self._clock()
        if now - self._expired_at >= self._max_age:
            self._expired_at = now
            self._known = {secret: known for secret, known in self._known.items() if now - known[0] < self._max_age}
