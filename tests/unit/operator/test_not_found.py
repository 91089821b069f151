"""A 404 that is not the API server's own, as a proxy's page: nothing is taken for gone by it, and nothing made anew."""

import copy
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from t2i_operator import naming
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.errors import refused
from t2i_operator.kube.kinds import GATEWAY, RESOURCE, SECRET, SERVICE, SERVICE_MONITOR, Kind, Object

from tests.unit.operator.harness import KEY, Harness, StoringCluster

PAGE = b"<html><h1>404 Not Found</h1></html>"
NO_KIND = b"404 page not found\n"
STATUS = b'{"kind":"Status","status":"Failure","reason":"NotFound","message":"there is no such object","code":404}'
SEEN = {"namespace": "n", "name": "a", "uid": "u", "resourceVersion": "1"}
KEYS = Id(SECRET, KEY.namespace, naming.keys(KEY.name))
SERVED = Id(SERVICE, KEY.namespace, naming.service(KEY.name))


@pytest.mark.parametrize(
    ("kind", "answer", "missing"),
    [
        (SECRET, STATUS, True),
        (SECRET, PAGE, False),
        (RESOURCE, NO_KIND, False),
        (SERVICE_MONITOR, NO_KIND, True),
        (GATEWAY, NO_KIND, True),
    ],
    ids=["its own word", "a proxy's", "no CRD of ours", "no CRD of another product's", "no Gateway API"],
)
async def test_only_the_api_servers_own_word_says_that_an_object_is_not_there(
    kind: Kind, answer: bytes, *, missing: bool
) -> None:
    async def not_found(_: web.Request) -> web.Response:
        return web.Response(status=404, body=answer)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", not_found)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        cluster = Cluster(session)
        if missing:
            assert await cluster.get(kind, "n", "a") is None
            await cluster.delete(kind, SEEN)
            return
        for ask in (cluster.get(kind, "n", "a"), cluster.delete(kind, SEEN)):
            with pytest.raises(ApiError) as raised:
                await ask
            assert raised.value.transient


class Proxied(StoringCluster):
    """Is read through a proxy, which has a page of its own for what is `lost`."""

    def __init__(self) -> None:
        super().__init__()
        self.lost: set[Id] = set()

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        return await Cluster.get(self, kind, namespace, name, metadata_only=metadata_only)

    async def _json(self, method: str, path: str, seconds: float, **options: Any) -> Object:
        if path in {identity.kind.path(*identity[1:]) for identity in self.lost}:
            raise refused(404, PAGE)
        found = [live for identity, live in self.live.items() if path == identity.kind.path(*identity[1:])]
        if not found:
            raise refused(404, STATUS)
        return copy.deepcopy(found[0])


@pytest.fixture
async def harness(monkeypatch: pytest.MonkeyPatch) -> Harness:
    monkeypatch.setattr("tests.unit.operator.harness.StoringCluster", Proxied)
    harness = Harness()
    await harness.look()
    return harness


async def lose(harness: Harness, *lost: Id) -> None:
    """Run a pass in which the proxy has its page for these."""
    assert isinstance(harness.cluster, Proxied)
    harness.cluster.lost = set(lost)
    with pytest.raises(ApiError) as raised:
        await harness.reconciler.reconcile(KEY)
    assert raised.value.status == 404
    harness.cluster.lost.clear()


async def test_keys_are_not_made_anew(harness: Harness) -> None:
    """With other keys every signed link would be dead, and the pods rolled."""
    before = harness.cluster.live[KEYS]["data"]
    harness.edit(replicas=2)
    await lose(harness, KEYS)
    await harness.look()
    assert harness.cluster.live[KEYS]["data"] == before


async def test_a_resource_is_not_forgotten(harness: Harness) -> None:
    del harness.cluster.live[SERVED]
    harness.cache.children.drop(SERVED)
    await lose(harness, Id(RESOURCE, *KEY))
    assert harness.cache.resources.get(KEY)
    await harness.look()
    assert SERVED in harness.cluster.live
