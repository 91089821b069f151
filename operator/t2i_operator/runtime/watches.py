"""Thin list-and-watch streams for the children: Kopf's would keep a memory, a queue and a task for each object."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from t2i_operator.kube.cluster import ApiError, Cluster, WatchError
from t2i_operator.kube.kinds import Kind, Object
from t2i_operator.kube.messages import Event, ObjectMeta

log = structlog.get_logger(__name__)

_BACKOFF_SECONDS = (0.2, 1.0, 2.0, 5.0, 10.0)
# How often a kind that is not served is asked for again: a small request, and no right to read CRDs is needed.
_ABSENT_SECONDS = 5.0
# A kind that may be absent is done without when so many lists of it in a row have failed since all others worked.
_TRIES = 5
# A watch is broken off by the server so many times in a row before its version is suspected, and all is listed anew.
_ERRORS = 5
# A server lets a watch live for minutes; what a proxy ends at once, without an error, must not be asked for in a loop,
# and what errs at once does not live.
_SHORT_SECONDS = 1.0


class WatchScope(NamedTuple):
    """Which objects: of one kind, in one namespace (None: in all), picked by the server by their labels."""

    kind: Kind
    namespace: str | None
    selector: str

    def __str__(self) -> str:
        return f"{self.kind.plural}@{self.namespace or '*'}?{self.selector}"


class Sink(Protocol):
    """Who takes what a stream brings."""

    def knows(self, metadata: ObjectMeta) -> bool:
        """Tell whether this version of an object is no news: it is not decoded then."""

    def seen(self, live: Object) -> None:
        """Take an object that is there."""

    def gone(self, live: Object) -> None:
        """Take the last state of an object that left the scope."""

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        """Take the namespaces and names of all that was there at a resourceVersion."""


class Stream:
    """Follows a scope for ever, through every failure of the API server.

    `absent` is told why a kind that another product defines is not listed; without it, that is but a failure.
    """

    def __init__(
        self,
        cluster: Cluster,
        scope: WatchScope,
        sink: Sink,
        *,
        absent: Callable[[ApiError], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster, self._scope, self._sink = cluster, scope, sink
        self._absent, self._clock = absent, clock
        self._heard_at: float | None = None
        self._refused_at = -math.inf
        self._version = ""
        self._failures = 0
        self.synced = asyncio.Event()
        # At which number of failures it is done without.
        self._patience = math.inf
        self.name = str(scope)
        # The server answers and says no: neither a broken connection nor what another process would do better.
        self.refused = False

    @property
    def optional(self) -> bool:
        """Whether its kind may be absent."""
        return self._absent is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the server last said anything on this stream, which it has to twice a minute; 0 before `run`."""
        return 0.0 if self._heard_at is None else self._clock() - self._heard_at

    @property
    def silent_seconds(self) -> float:
        """How long ago the server last said anything, if only no: the first error after that is no silence yet."""
        return min(self.age_seconds, self._clock() - self._refused_at)

    def wait_no_longer(self) -> None:
        """Have the kind pass for absent if it still cannot be listed: only itself is to blame, all others can be.

        What failed before, perhaps with the API server as a whole, counts for nothing.
        """
        self._patience = min(self._patience, self._failures + _TRIES)

    async def run(self) -> None:
        """List once, then watch from where the last watch ended; only a version that is no good costs a new list."""
        self._heard()
        while True:
            try:
                if not self._version:
                    await self._list()
                began = self._clock()
                await self._watch()
                if self._clock() - began < _SHORT_SECONDS:
                    await asyncio.sleep(_SHORT_SECONDS)
            except ApiError as error:
                lists = not self._version and not isinstance(error, WatchError)
                if self._absent is not None and lists and _is_refusal(error):
                    self._absent(error)
                    await self._wait_for_kind()
                else:
                    await self._back_off(error)

    async def _wait_for_kind(self) -> None:
        """Count the answer as a sign of life: nothing is broken where a product is not installed."""
        self._heard()
        self.synced.set()
        await asyncio.sleep(_ABSENT_SECONDS)

    async def _back_off(self, error: ApiError) -> None:
        self.refused = _is_refusal(error)
        if self.refused:
            self._refused_at = self._clock()
        if error.is_gone or (self.refused and self._absent is not None):
            self._version = ""  # of a kind that may be absent only a list tells whether it is
        log.warning("stream broken", stream=self.name, status=error.status, error=error.message)
        backoff = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._do_without(error)
        await asyncio.sleep(max(backoff, error.retry_after))

    def _do_without(self, error: ApiError) -> None:
        """Let the process begin: a broken conversion webhook of another product's would hold it up for ever."""
        if self._absent is not None and self._failures >= self._patience and not self.synced.is_set():
            self._absent(error)
            self.synced.set()

    async def _list(self) -> None:
        names: set[tuple[str, str]] = set()
        version = ""
        async for page in self._cluster.pages(*self._scope):
            for live in page.objects():
                names.add((live["metadata"]["namespace"], live["metadata"]["name"]))
                self._take(self._sink.seen, live)
            version = page.metadata["resourceVersion"]
            if not self._failures:  # else a list may work for ever while no watch does
                self._heard_at = self._clock()
            await asyncio.sleep(0)  # a large cluster's list must not hold up the lease
        self._sink.listed(names, int(version))
        self._version = version
        self.synced.set()

    async def _watch(self) -> None:
        heard_at = self._heard_at
        try:
            async for event in self._cluster.watch(*self._scope, since=self._version, resumed=self._resumed):
                self._follow(event)
                heard_at = self._heard_at
        except WatchError:
            if self.age_seconds < _SHORT_SECONDS:
                self._heard_at = heard_at  # its yes counts no more, or one that only ever says yes would pass for alive
            else:
                self._failures = 0  # it stood, and the backoff begins anew
            if (self._failures + 1) % _ERRORS == 0:
                self._version = ""
            raise
        self._heard()

    def _follow(self, event: Event) -> None:
        metadata = event.metadata()
        if event.type == "DELETED":
            self._take(self._sink.gone, event.decoded())
        elif event.type != "BOOKMARK" and not self._sink.knows(metadata):
            self._take(self._sink.seen, event.decoded())
        self._heard()
        self._version = metadata.resource_version  # only now: what could not be read is sent again

    def _take(self, take: Callable[[Object], None], live: Object) -> None:
        """Pass over an object that trips a bug: it must not end the stream, and the process with it, for all others."""
        try:
            take(live)
        except Exception:
            metadata = live["metadata"]
            log.exception("object passed over by a bug", stream=self.name, object=metadata.get("name"))

    def _resumed(self) -> None:
        """Count the server's yes as a sign of life; an event or a second shows that it lasts, and ends the backoff."""
        self._heard_at, self.refused = self._clock(), False

    def _heard(self) -> None:
        self._heard_at, self.refused = self._clock(), False
        self._failures = 0


def _is_refusal(error: ApiError) -> bool:
    return error.is_forbidden or error.is_not_found
