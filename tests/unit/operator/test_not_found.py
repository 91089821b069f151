"""A 404 that is not the API server's own, as a proxy's page: nothing is taken for gone by it, and nothing made anew."""

from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from t2i_operator import naming
from t2i_operator.known.children import Id
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.errors import refused
from t2i_operator.kube.kinds import GATEWAY, RESOURCE, SECRET, SERVICE, SERVICE_MONITOR, Kind, Object

from tests.unit.operator import passes
from tests.unit.operator.passes import KEY, Parts, Storing

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


class Proxied(Storing):
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
        return found[0]


@pytest.fixture
async def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(passes, "Storing", Proxied)
    parts = Parts()
    await parts.look()
    return parts


async def lose(parts: Parts, *lost: Id) -> None:
    """Run a pass in which the proxy has its page for these."""
    assert isinstance(parts.cluster, Proxied)
    parts.cluster.lost = set(lost)
    with pytest.raises(ApiError) as raised:
        await parts.reconciler.reconcile(KEY)
    assert raised.value.status == 404
    parts.cluster.lost.clear()


async def test_keys_are_not_made_anew(parts: Parts) -> None:
    """With other keys every signed link would be dead, and the pods rolled."""
    before = parts.cluster.live[KEYS]["data"]
    parts.edit(replicas=2)
    await lose(parts, KEYS)
    await parts.look()
    assert parts.cluster.live[KEYS]["data"] == before


async def test_a_resource_is_not_forgotten(parts: Parts) -> None:
    del parts.cluster.live[SERVED]
    parts.cache.children.drop(SERVED)
    await lose(parts, Id(RESOURCE, *KEY))
    assert parts.cache.resources.get(KEY)
    await parts.look()
    assert SERVED in parts.cluster.live
