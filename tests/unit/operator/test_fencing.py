"""Writes near the end of a lease: none starts after the renew deadline, and none outlives the lease."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.helpers import TimeoutHandle
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import Configuration
from t2i_operator.kube.cluster import ApiError, Cluster, NotLeadingError
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import CONFIG_MAP, Object
from t2i_operator.runtime.leader import Candidate, Leader

CONFIG: Object = {"metadata": {"namespace": "n", "name": "c"}}
Answer = Callable[[web.Request], Awaitable[web.Response]]
Serve = Callable[[Answer], Awaitable[TestServer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    servers = []

    async def started(answer: Answer) -> TestServer:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return servers[-1]

    yield started
    for server in servers:
        await server.close()


def connection(server: TestServer, reload: Callable[[], Awaitable[object]]) -> Connection:
    return Connection(Configuration(host=str(server.make_url("/"))), reload, identity="me")


@pytest.mark.parametrize(
    ("age", "left"), [(0.0, 15.0), (9.9, 5.1), (10.0, 0.0), (14.0, 0.0), (20.0, 0.0)], ids=lambda value: f"{value:g}"
)
async def test_a_lease_leaves_time_until_its_renew_deadline(age: float, left: float) -> None:
    now = 100.0

    class Granting(Cluster):
        async def get(self, *_: object, **__: object) -> None:
            return None

        async def create(self, kind: object, body: Object, *, seconds: float = 0) -> Object:
            nonlocal now
            now += 3  # on the way: the lease counts from when it was asked for
            return body

    async with ClientSession() as session:
        leader = Leader(Granting(session), Candidate(namespace="n", name="l", identity="me"), clock=lambda: now)
        assert leader.time_left() == 0
        await leader._attempt(leader._acquire)
        now = 100.0 + age
        assert leader.time_left() == pytest.approx(left)


async def test_a_write_that_is_not_answered_ends_with_the_lease(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the timers that are set, begun at any moment of a second: aiohttp rounds ends up to its clock's next one."""
    loop, left, late = asyncio.get_running_loop(), 5.1, []
    call_at = loop.call_at

    def recorded(when: float, callback: Callable[..., object], *args: object, **options: Any) -> asyncio.TimerHandle:
        if isinstance(getattr(callback, "__self__", None), TimeoutHandle):
            late.append(when - loop.time() - left)
        return call_at(when, callback, *args, **options)

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({})

    server = await serve(answer)
    async with ClientSession(server.make_url("/")) as session:
        cluster = Cluster(session, time_left=lambda: left)
        monkeypatch.setattr(loop, "call_at", recorded)
        for _ in range(10):
            await asyncio.sleep(0.1)
            await cluster.create(CONFIG_MAP, CONFIG)
    assert len(late) == 10
    assert max(late) <= 0


@pytest.mark.parametrize("leading", [True, False])
async def test_a_write_whose_token_was_refused_asks_again_before_it_is_repeated(serve: Serve, *, leading: bool) -> None:
    asked: list[str] = []
    left = [5.0, 5.0 if leading else 0.0]

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.json_response({"message": "old token"}, status=401) if len(asked) == 1 else web.json_response({})

    async def reload() -> None:
        asked.append("reload")

    server = await serve(answer)
    async with connection(server, reload).session() as session:
        cluster = Cluster(session, time_left=lambda: left.pop(0))
        if leading:
            assert await cluster.create(CONFIG_MAP, CONFIG) == {}
            assert asked == ["POST", "reload", "POST"]
        else:
            with pytest.raises(NotLeadingError):
                await cluster.create(CONFIG_MAP, CONFIG)
            assert asked == ["POST", "reload"]


async def test_a_token_that_is_refused_when_the_time_is_over_says_nothing_of_leading() -> None:
    class Slow(Cluster):
        async def _request(self, method: str, path: str, seconds: float, **_: Any) -> bytes:
            await asyncio.sleep(2 * seconds)
            raise ApiError(401, "Unauthorized", "old token")

    async with ClientSession() as session:
        with pytest.raises(ApiError, match="old token"):
            await Slow(session).create(CONFIG_MAP, CONFIG, seconds=0.01)


async def test_a_token_that_stays_refused_is_an_error_of_the_world_s(serve: Serve) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.json_response({"message": "unknown"}, status=401)

    async def reload() -> None:
        pass

    server = await serve(answer)
    async with connection(server, reload).session() as session:
        with pytest.raises(ApiError, match="unknown") as refused:
            await Cluster(session).create(CONFIG_MAP, CONFIG)
        assert refused.value.status == 401
        with pytest.raises(ApiError, match="unknown"):
            await Cluster(session).get(CONFIG_MAP, "n", "c")
    assert asked == ["POST", "POST", "GET", "GET"]
