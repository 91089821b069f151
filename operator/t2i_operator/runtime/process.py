"""One operator process: its parts put together, run side by side, and ended in the right order."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from typing import Any

import aiohttp
import kopf
import structlog

from t2i_operator import naming
from t2i_operator.known.cache import Cache
from t2i_operator.known.version_cache import VersionCache, max_age
from t2i_operator.kube.cluster import WRITE_SECONDS, ApiError, Cluster
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import CHILDREN, OPTIONAL, POD, RESOURCE, SECRET, Kind
from t2i_operator.reconciling.reconcile import Reconciler
from t2i_operator.runtime import framework, handlers
from t2i_operator.runtime.cache_sync import CacheSync
from t2i_operator.runtime.health import Health
from t2i_operator.runtime.leader import Candidate, Leader
from t2i_operator.runtime.queue import Queue
from t2i_operator.runtime.watches import Sink, Stream, WatchScope
from t2i_operator.runtime.work import work
from t2i_operator.settings import Settings
from t2i_operator.status.metrics import Metrics
from t2i_operator.status.report import Reporter

log = structlog.get_logger(__name__)


class Operator:
    """Holds the parts; `run` returns when the process was told to stop, and raises what made it fail."""

    def __init__(self, settings: Settings, connection: Connection, session: aiohttp.ClientSession) -> None:
        self._settings, self._connection = settings, connection
        self._metrics = Metrics()
        self._leader = self._make_leader(session)
        time_left = self._leader.time_left if settings.leader_election else lambda: WRITE_SECONDS
        self._cluster = Cluster(session, time_left=time_left, observe=self._metrics.observe_request)
        self._cache_sync = CacheSync()
        self._queue: Queue[naming.Key] = Queue(may=self._cache_sync.has_synced)
        self._cache = Cache()
        self._version_cache = VersionCache(self._cluster, max_age_seconds=max_age(settings.poll_seconds))
        reporter = Reporter(self._cluster, self._cache.resources, self._metrics, instance=settings.identity)
        self._reconciler = Reconciler(self._cluster, self._cache, self._version_cache, reporter, settings)
        self._heartbeat = framework.Heartbeat(settings.namespaces)
        for namespace in settings.namespaces or (None,):
            self._cache_sync.add(namespace, self._make_streams(namespace))
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Run until told to stop."""
        self._publish()
        self._heed_signals()
        runner = await self._health().serve(self._settings.listen_port)
        try:
            if await self._resource_is_served():
                await self._run_parts()
        finally:
            await runner.cleanup()

    async def _run_parts(self) -> None:
        """Stop writing first, then give the lease away, then let Kopf take its time."""
        tasks = [asyncio.create_task(part, name=name) for name, part in self._parts().items()]
        # Before Kopf, whose end cancels whatever was begun after it: that would pass for having been told to stop.
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        watching = await self._start_kopf()
        try:
            await asyncio.wait([*tasks, watching, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            done = [task for task in (*tasks, watching) if task.done()]
            for task in (*tasks, stopping):
                task.cancel()
            await asyncio.gather(*tasks, stopping, return_exceptions=True)
            await self._leader.release()
            self._stop.set()
            await asyncio.gather(watching, return_exceptions=True)
        for task in done:
            task.result()

    def _parts(self) -> dict[str, Coroutine[Any, Any, None]]:
        parts = {stream.name: stream.run() for stream in self._cache_sync.streams}
        parts["cache_sync"] = self._cache_sync.run(self._queue.release)
        parts |= {f"worker {number}": self._work() for number in range(self._settings.workers)}
        parts["selection"] = self._watch_selection()
        if self._settings.leader_election:
            parts["leader"] = self._leader.run()
        else:
            self._leader.leading.set()
        return parts

    async def _work(self) -> None:
        await self._leader.leading.wait()
        await work(self._queue, self._reconciler, self._metrics)

    async def _watch_selection(self) -> None:
        """Look for all resources at once at what no stream tells of; a replica that stands by has judged nothing."""
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            keys = self._cache.resources.keys()
            changed = await self._reconciler.selection.changed({key.namespace for key in keys})
            for key in keys:
                if key.namespace in changed:
                    self._queue.add(key)

    async def _start_kopf(self) -> asyncio.Task[None]:
        registry = handlers.registry(self._cache.resources, self._queue)
        counted = framework.counted(self._metrics.observe_request)
        framework.log_in(registry, self._connection, self._heartbeat.trace(), counted)
        existing = asyncio.all_tasks()
        scope = framework.scope(self._settings.namespaces)
        # Left to itself Kopf asks for the user's name, which UID 65532 of the image does not have.
        identity: Any = self._settings.identity
        self._heartbeat.start()
        tasks = await kopf.spawn_tasks(
            registry=registry, settings=framework.settings(), identity=identity, stop_flag=self._stop, **scope
        )
        self._heed_signals()  # again, in the place of Kopf's own, which would have the lease wait for its shutdown
        return asyncio.create_task(kopf.run_tasks(tasks, ignored=existing), name="kopf")

    def _heed_signals(self) -> None:
        """Process 1 of a container is not even ended by a signal that it does not handle."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _resource_is_served(self) -> bool:
        """Kopf fails where the CRD is missing; installing it after the operator is an ordinary order of things.

        False: told to stop before it was there.
        """
        while not self._stop.is_set():
            try:
                if await self._cluster.served(RESOURCE):
                    return True
                log.warning("waiting for the CRD to be installed", crd=f"{naming.PLURAL}.{naming.GROUP}")
            except ApiError as error:
                log.warning("waiting for the API server", error=error.message)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), timeout=2)
        return False

    def _make_leader(self, session: aiohttp.ClientSession) -> Leader:
        """Give the election a client of its own, which may write while it does not lead."""
        settings = self._settings
        candidate = Candidate(namespace=settings.lease_namespace, name=settings.lease_name, identity=settings.identity)
        return Leader(Cluster(session, observe=self._metrics.observe_request), candidate)

    def _make_streams(self, namespace: str | None) -> list[Stream]:
        queue, cache, ours = self._queue, self._cache, naming.CHILD_SELECTOR
        scopes: list[tuple[WatchScope, Sink]] = [
            (WatchScope(kind, namespace, ours), handlers.ChildSink(kind, namespace, cache.children, queue))
            for kind in CHILDREN
            if kind not in OPTIONAL
        ]
        scopes += [
            (WatchScope(POD, namespace, ours), handlers.PodSink(namespace, cache.pods, queue)),
            (
                WatchScope(SECRET, namespace, naming.RELOAD_SELECTOR),
                handlers.ReloadSink(self._version_cache, cache.resources, queue),
            ),
        ]
        streams = [Stream(self._cluster, scope, sink) for scope, sink in scopes]
        return [*streams, *(self._make_optional_stream(kind, namespace) for kind in sorted(OPTIONAL))]

    def _make_optional_stream(self, kind: Kind, namespace: str | None) -> Stream:
        sink = handlers.OptionalSink(kind, namespace, self._cache, self._queue)
        return Stream(self._cluster, WatchScope(kind, namespace, naming.CHILD_SELECTOR), sink, absent=sink.absent)

    def _ages(self) -> dict[str, Any]:
        ages = {stream.name: (lambda stream=stream: stream.age_seconds) for stream in self._cache_sync.streams}
        return ages | self._heartbeat.ages()

    def _health(self) -> Health:
        required = (stream for stream in self._cache_sync.streams if not stream.optional)
        silences = {stream.name: (lambda stream=stream: stream.silent_seconds) for stream in required}
        return Health(
            ages=self._ages(),
            silences=silences | self._heartbeat.silences(),
            refused=lambda: self._cache_sync.refused() | self._heartbeat.refused(),
            cache_sync=self._cache_sync,
            may_lead=lambda: not self._leader.refused,
            metrics=self._metrics,
        )

    def _publish(self) -> None:
        metrics = self._metrics
        metrics.gauge("queue_depth", "Resources that wait to be reconciled.", lambda: self._queue.depth)
        metrics.gauge(
            "queue_oldest_seconds",
            "How long the first of them has waited for the workers; 0 on a replica that stands by and has none.",
            lambda: self._queue.oldest_seconds if self._leader.leading.is_set() else 0.0,
        )
        metrics.gauge("leader", "1 while this replica leads.", lambda: float(self._leader.leading.is_set()))
        metrics.labelled_gauge("watch_age_seconds", "Time since a stream was heard.", "stream", self._ages())
