"""What Kopf's streams, of which there is one for each namespace, tell of their health."""

import asyncio
import time
from collections.abc import AsyncIterator

import kopf
import pytest
from aiohttp import ClientError, ClientSession, web
from aiohttp.test_utils import TestServer
from kopf._cogs.clients.auth import vault_var
from kopf._cogs.clients.watching import infinite_watch
from kopf._cogs.structs.credentials import Vault
from kopf._cogs.structs.references import Resource
from kopf._core.engines.activities import authenticator
from kopf._core.engines.indexing import OperatorIndexers
from kubernetes.aio.client import Configuration
from t2i_operator import naming
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import RESOURCE
from t2i_operator.runtime.framework import Heartbeat, counted, log_in, settings
from t2i_operator.status.metrics import Metrics


class Server:
    """An API server that answers for some namespaces only."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.forbidden: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        for status, namespaces in ((500, self.broken), (403, self.forbidden)):
            if any(f"/{each}/" in request.path for each in namespaces):
                return web.Response(status=status)
        return web.Response(status=200)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, TestServer]]:
    app, server = web.Application(), Server()
    app.router.add_get("/{path:.*}", server.answer)
    async with TestServer(app) as running:
        yield server, running


def _stopped(heartbeat: Heartbeat) -> None:
    """Have nothing be heard for a long time."""
    heartbeat.start()
    for times in (heartbeat._at, heartbeat._answered_at):
        for where, at in times.items():
            assert at is not None
            times[where] = at - 1000


async def _ask(heartbeat: Heartbeat, server: TestServer, *namespaces: str | None, query: str = "?watch=true") -> None:
    async with ClientSession(server.make_url("/"), trace_configs=[heartbeat.trace()]) as session:
        for namespace in namespaces:
            async with session.get(f"/proxied{RESOURCE.path(namespace)}{query}"):
                pass


def _old(heartbeat: Heartbeat) -> set[str]:
    return {name for name, age in heartbeat.ages().items() if age() > 500}


async def test_each_namespace_has_a_heartbeat_of_its_own(server: tuple[Server, TestServer]) -> None:
    heartbeat = Heartbeat(("one", "two"))
    assert {age() for age in heartbeat.ages().values()} == {0.0}, "nothing is late before the start"
    _stopped(heartbeat)
    server[0].broken = {"two"}
    await _ask(heartbeat, server[1], "one", "two")
    assert _old(heartbeat) == {"texttoimageservices@two"}


async def test_the_heartbeat_of_all_namespaces(server: tuple[Server, TestServer]) -> None:
    heartbeat = Heartbeat(())
    _stopped(heartbeat)
    await _ask(heartbeat, server[1], "one")
    assert _old(heartbeat) == {"texttoimageservices@*"}
    await _ask(heartbeat, server[1], None)
    assert _old(heartbeat) == set()


async def test_a_namespace_that_is_forbidden_is_named_until_it_is_not(server: tuple[Server, TestServer]) -> None:
    heartbeat = Heartbeat(("one", "two"))
    server[0].forbidden = {"two"}
    await _ask(heartbeat, server[1], "one", "two", query="?limit=50")
    assert heartbeat.refused() == {"texttoimageservices@two"}
    server[0].forbidden, server[0].broken = set(), {"two"}
    await _ask(heartbeat, server[1], "two")
    assert heartbeat.refused() == set(), "it is broken now, which a restart may help against"


async def test_a_refusal_is_an_answer_and_no_heartbeat(server: tuple[Server, TestServer]) -> None:
    heartbeat = Heartbeat(("one", "two"))
    _stopped(heartbeat)
    server[0].forbidden = {"two"}
    await _ask(heartbeat, server[1], "two", query="?limit=50")
    server[0].forbidden, server[0].broken = set(), {"two"}
    await _ask(heartbeat, server[1], "two", query="?limit=50")
    assert _old(heartbeat) == {"texttoimageservices@one", "texttoimageservices@two"}
    silent = {name for name, silence in heartbeat.silences().items() if silence() > 500}
    assert silent == {"texttoimageservices@one"}, "the first error after a refusal is no reason for a restart"


async def test_a_list_that_works_is_no_stream(server: tuple[Server, TestServer]) -> None:
    heartbeat = Heartbeat(("one",))
    _stopped(heartbeat)
    await _ask(heartbeat, server[1], "one", query="?limit=50")
    assert _old(heartbeat) == {"texttoimageservices@one"}


async def test_kopfs_requests_are_counted_by_verb_and_code(server: tuple[Server, TestServer]) -> None:
    metrics = Metrics()
    server[0].forbidden = {"two"}
    traces = [counted(metrics.observe_request)]
    async with ClientSession(server[1].make_url("/"), trace_configs=traces) as session:
        for path in ("/a?watch=true", "/a?limit=50", "/ns/two/a?limit=50"):
            async with session.get(path):
                pass
        await server[1].close()
        with pytest.raises(ClientError):
            await session.get("/a?watch=true")
    found = {
        (sample.labels["verb"], sample.labels["code"]): sample.value
        for family in metrics.requests.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert found == {("watch", "200"): 1, ("get", "200"): 1, ("get", "403"): 1, ("watch", "none"): 1}


async def test_a_token_that_stays_refused_is_not_tried_in_a_loop() -> None:
    """Kopf asks for another session at each 401, for ever, and each of ours reads the token anew before it gives up."""
    asked: list[float] = []
    enough = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        if len(asked) == 6:
            enough.set()
        return web.json_response({"code": 401, "message": "Unauthorized"}, status=401)

    async def no_reload() -> None:
        pass

    async def follow() -> None:
        followed = Resource(naming.GROUP, naming.VERSION, naming.PLURAL, namespaced=True)
        async for _ in infinite_watch(settings=settings(), resource=followed, namespace=None):
            pass

    app, registry, vault = web.Application(), kopf.OperatorRegistry(), Vault()
    app.router.add_get("/{path:.*}", answer)
    vault_var.set(vault)
    async with TestServer(app) as running:
        connection = Connection(Configuration(host=str(running.make_url("/"))), no_reload, identity="me")
        log_in(registry, connection)
        indices, memo = OperatorIndexers().indices, kopf.Memo()
        tasks = [
            asyncio.create_task(
                authenticator(registry=registry, settings=settings(), indices=indices, vault=vault, memo=memo)
            ),
            asyncio.create_task(follow()),
        ]
        await asyncio.wait_for(enough.wait(), timeout=30)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await vault.close()
    assert asked[-1] - asked[0] >= 1.0
