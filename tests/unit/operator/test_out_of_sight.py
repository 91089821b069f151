"""An optional kind that is out of sight for a while, as while a ClusterRoleBinding is made anew: its objects stay."""

import asyncio
from collections.abc import AsyncIterator, Callable
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import msgspec
import pytest
from t2i_operator import naming
from t2i_operator.known.children import Children
from t2i_operator.known.identity import Id
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import HTTP_ROUTE, SERVICE_MONITOR, Kind
from t2i_operator.kube.messages import Event, Page
from t2i_operator.naming import Key
from t2i_operator.reconciling.routing import Routing
from t2i_operator.runtime import watches
from t2i_operator.runtime.handlers import OptionalSink
from t2i_operator.runtime.queue import Queue
from t2i_operator.runtime.watches import Stream, WatchScope

from tests.unit.operator.harness import KEY, Harness, StoringCluster
from tests.unit.operator.resources import UNOBSERVED, resource

MONITOR = Id(SERVICE_MONITOR, KEY.namespace, naming.service_monitor(KEY.name))
METRICS = {"monitoring": {**UNOBSERVED, "metrics": {"mode": "Managed"}}}


class Hiding(Cluster):
    """Lists what another cluster stores, and stays at the middle of the list for as long as it is not let on."""

    def __init__(self, storing: StoringCluster) -> None:
        super().__init__(MagicMock(spec=aiohttp.ClientSession))
        self._storing = storing
        self.hidden = asyncio.Event()
        self.halfway, self.on = asyncio.Event(), asyncio.Event()

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        if self.hidden.is_set():
            raise ApiError(403, "Forbidden", "no right to list it")
        found = [live for identity, live in self._storing.live.items() if identity.kind == kind]
        yield Page({"resourceVersion": "99"}, [msgspec.Raw(msgspec.json.encode(live)) for live in found])
        self.halfway.set()
        await self.on.wait()
        yield Page({"resourceVersion": "99"}, [])

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, since: str, resumed: Callable[[], None]
    ) -> AsyncIterator[Event]:
        resumed()
        await self.hidden.wait()
        raise ApiError(403, "Forbidden", "no right to watch it")
        yield Event("", msgspec.Raw())


async def test_what_comes_into_sight_again_is_not_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list shows its objects one after the other, and that it is complete only at its end: passes run meanwhile."""
    monkeypatch.setattr(watches, "_BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr(watches, "_ABSENT_SECONDS", 0.01)
    harness, queue = Harness(**METRICS), Queue[Key]()
    harness.reconciler.selection.judge = AsyncMock(return_value={})  # type: ignore[method-assign]
    await harness.look()
    cluster = Hiding(harness.cluster)
    sink = OptionalSink(SERVICE_MONITOR, None, harness.cache, queue)
    stream = Stream(cluster, WatchScope(SERVICE_MONITOR, None, "a=b"), sink, absent=sink.absent)

    async def queued() -> None:
        queue.done(await asyncio.wait_for(queue.get(), timeout=30))

    cluster.on.set()
    running = asyncio.create_task(stream.run())
    await asyncio.wait_for(stream.synced.wait(), timeout=30)
    cluster.on.clear()
    cluster.halfway.clear()
    cluster.hidden.set()
    await queued()
    assert (await harness.look())["MetricsReady"].reason == "NotVisible"

    cluster.hidden.clear()
    await asyncio.wait_for(cluster.halfway.wait(), timeout=30)
    await queued()
    await harness.look()
    assert harness.outcome.deleted == []

    cluster.on.set()
    await queued()
    assert (await harness.look())["MetricsReady"].reason == "InPlace"
    assert (harness.outcome.created, harness.outcome.deleted) == ([], [])
    assert MONITOR in harness.cluster.live
    running.cancel()


async def test_a_way_in_that_cannot_be_listed_is_told_in_the_api_servers_own_words() -> None:
    wanted, absence = resource(httpRoute={"parentRefs": [{"name": "public"}]}), Absence.failing("connection refused")
    said = await Routing(StoringCluster(), Children()).route(wanted, {HTTP_ROUTE: absence})
    assert (said.status, said.reason) == ("Unknown", "NotVisible")
    assert "connection refused" in said.message
