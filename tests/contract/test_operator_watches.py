"""A stream behind something that ends its watches at once, as a proxy may, or that sends what is hard to read."""

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise
from unittest.mock import Mock

import kopf
import pytest
from aiohttp import ClientSession, TraceConfig, web
from aiohttp.test_utils import TestServer
from kopf._cogs.clients.api import iter_jsonlines
from kopf._cogs.clients.auth import vault_var
from kopf._cogs.clients.scanning import scan_resources
from kopf._cogs.clients.watching import infinite_watch
from kopf._cogs.structs.credentials import Vault, VaultKey
from kopf._cogs.structs.references import Resource
from kubernetes.aio.client import Configuration
from t2i_operator import naming
from t2i_operator.kube import answer, cluster
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, Kind, Object
from t2i_operator.kube.messages import ObjectMeta
from t2i_operator.runtime import framework, watches
from t2i_operator.runtime.watches import Stream, WatchScope


class Nobody:
    """Has no use for what it is told."""

    def knows(self, _: ObjectMeta) -> bool:
        return False

    def seen(self, live: Object) -> None:
        pass

    gone = seen

    def listed(self, names: set[tuple[str, str]], version: int) -> None:
        pass


class Taking(Nobody):
    """Takes the names of what is there, until the last one came."""

    def __init__(self, *, last: str) -> None:
        self._last = last
        self.taken: list[str] = []
        self.all = asyncio.Event()

    def seen(self, live: Object) -> None:
        self.taken.append(live["metadata"]["name"])
        if live["metadata"]["name"] == self._last:
            self.all.set()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what failed be tried again without a wait to speak of, where the wait is not what is tried."""
    monkeypatch.setattr(watches, "_BACKOFF_SECONDS", (0.01,))
    monkeypatch.setattr(watches, "_ABSENT_SECONDS", 0.01)


async def test_watches_that_end_at_once_are_not_asked_for_in_a_loop() -> None:
    watched: list[float] = []
    enough = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        watched.append(time.monotonic())
        if len(watched) == 2:
            enough.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody())
        assert stream.age_seconds == 0.0
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(enough.wait(), timeout=30)
        running.cancel()
    assert watched[1] - watched[0] >= 0.9


async def test_lists_that_work_do_not_hide_a_watch_that_cannot_be_restored() -> None:
    now, lists = 0.0, 0
    enough = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal lists, now
        now += 100.0
        if "watch" in request.query:
            return web.json_response({"message": "too old"}, status=410)
        lists += 1
        if lists == 3:
            enough.set()
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), clock=lambda: now)
        running = asyncio.create_task(stream.run())
        began = time.monotonic()
        await asyncio.wait_for(enough.wait(), timeout=30)
        running.cancel()
        assert stream.age_seconds >= 300.0
    assert time.monotonic() - began >= 1.0, "the lists are asked for in a loop"


BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "2"}}}


def lines_of(*events: Object) -> web.Response:
    return web.Response(text="".join(f"{json.dumps(event)}\n" for event in events), content_type="application/json")


def error(code: int) -> Object:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "message": "etcd is ill"}}


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("lines", "code", "silence", "lists"),
    [((), 500, 1000.0, 3), ((), 410, 1000.0, 11), ((BOOKMARK,), 500, 0.0, 1)],
    ids=["error", "gone", "error after a bookmark"],
)
async def test_a_yes_that_an_error_follows_is_no_sign_of_life(
    lines: tuple[Object, ...], code: int, silence: float, lists: int
) -> None:
    """Nor is a version kept for ever that each time brings the same error."""
    now, asked = 0.0, list[str]()
    enough = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        nonlocal now
        watched = "watch" in request.query
        asked.append("watch" if watched else "list")
        if not watched:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        if asked.count("watch") > 10:
            enough.set()
            await asyncio.sleep(30)
        now += 100.0
        return lines_of(*lines, error(code))

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), clock=lambda: now)
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(enough.wait(), timeout=30)
        assert stream.silent_seconds == silence
        assert asked.count("list") == lists
        running.cancel()


@pytest.mark.usefixtures("at_once")
async def test_a_watch_that_is_resumed_each_time_it_breaks_is_alive() -> None:
    """As behind a balancer that breaks connections before a quiet stream has its bookmark of the minute."""
    now, watches = 0.0, 0
    enough = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal watches, now
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        now += 100.0
        watches += 1
        response = web.StreamResponse()
        await response.prepare(request)
        if watches == 3:
            enough.set()
            await asyncio.sleep(30)
        assert request.transport
        request.transport.abort()
        return response

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), clock=lambda: now)
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(enough.wait(), timeout=30)
        assert stream.age_seconds <= 100.0
        running.cancel()


@pytest.mark.usefixtures("at_once")
async def test_the_first_error_after_refusals_is_no_silence() -> None:
    """A restart at that moment would find the rights missing still, and end the service of other namespaces."""
    now, status = 0.0, 403
    asked = asyncio.Queue[int]()

    async def answer(_: web.Request) -> web.Response:
        asked.put_nowait(status)
        return web.json_response({"message": "no"}, status=status)

    async def until(wanted: int) -> None:
        while await asked.get() != wanted:
            pass

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), clock=lambda: now)
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(until(403), timeout=30)
        now = 3600.0
        await asyncio.wait_for(until(403), timeout=30)
        status = 500
        await asyncio.wait_for(until(500), timeout=30)
        await asyncio.wait_for(until(500), timeout=30)
        assert (stream.refused, stream.age_seconds, stream.silent_seconds) == (False, 3600.0, 0.0)
        now += 300.0
        assert stream.silent_seconds == 300.0
        running.cancel()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("status", [403, 404])
async def test_a_kind_is_not_absent_while_it_can_be_listed(status: int) -> None:
    """As with a right to list and none to watch: what is seen would be forgotten and seen anew for ever."""
    asked, absent = asyncio.Queue[str](), Mock()

    async def answer(request: web.Request) -> web.Response:
        if "watch" in request.query:
            asked.put_nowait("watch")
            return web.json_response({"message": "no"}, status=status)
        asked.put_nowait("list")
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), absent=absent)
        running = asyncio.create_task(stream.run())
        turns = [await asyncio.wait_for(asked.get(), timeout=30) for _ in range(6)]
        assert turns == ["list", "watch"] * 3
        assert stream.refused
        assert not absent.called
        running.cancel()


@pytest.mark.usefixtures("at_once")
async def test_a_kind_that_cannot_be_listed_is_done_without_once_all_others_can_be() -> None:
    """As while the conversion webhook of another product is broken; before that the API server itself may be."""
    now, asked, lists, absent = 0.0, asyncio.Queue[None](), 0, Mock(side_effect=lambda _: given_up.append(lists))
    given_up: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        nonlocal lists
        lists += 1
        asked.put_nowait(None)
        return web.json_response({"message": "conversion webhook failed"}, status=500)

    async def tried(times: int) -> None:
        for _ in range(times):
            await asyncio.wait_for(asked.get(), timeout=30)

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        scope = WatchScope(CONFIG_MAP, None, "a=b")
        stream = Stream(Cluster(session), scope, Nobody(), absent=absent, clock=lambda: now)
        running = asyncio.create_task(stream.run())
        await tried(watches._TRIES + 2)
        assert not absent.called
        stream.wait_no_longer()
        answered = lists - 1  # one list may be under way
        await asyncio.wait_for(stream.synced.wait(), timeout=30)
        assert given_up[0] >= answered + watches._TRIES, "what failed before was perhaps the API server's doing"
        now = 1000.0
        await tried(watches._TRIES + 2)
        (told,) = absent.call_args_list
        assert told.args[0].message == "conversion webhook failed"
        assert stream.age_seconds == 1000.0, "it is told of by the metric, and by the alert on that"
        running.cancel()


async def test_an_object_that_trips_a_bug_is_passed_over() -> None:
    class Tripping(Nobody):
        def __init__(self) -> None:
            self.taken: list[str] = []
            self.all = asyncio.Event()

        def seen(self, live: Object) -> None:
            self.taken.append(live["metadata"]["name"])
            if len(self.taken) == 4:
                self.all.set()
            if live["metadata"]["name"] == "bad":
                raise TypeError("of ours")

        gone = seen

    def named(name: str) -> Object:
        return {"metadata": {"name": name, "namespace": "n", "resourceVersion": "2"}}

    async def answer(request: web.Request) -> web.Response:
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": [named("bad"), named("a")]})
        events = [{"type": "DELETED", "object": named("bad")}, {"type": "ADDED", "object": named("b")}]
        return web.Response(text="".join(f"{json.dumps(event)}\n" for event in events))

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    sink = Tripping()
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        running = asyncio.create_task(Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), sink).run())
        await asyncio.wait_for(sink.all.wait(), timeout=30)
        assert not running.done()
        running.cancel()
    assert sink.taken == ["bad", "a", "bad", "b"]


def named(name: str, version: int = 2) -> str:
    return f'"metadata":{{"name":"{name}","namespace":"n","resourceVersion":"{version}"}}'


def added(name: str, more: str = "") -> str:
    return f'{{"type":"ADDED","object":{{{named(name)}{more}}}}}\n'


# As Go writes a ConfigMap with a MiB of `<`.
ESCAPED = added("big", ',"data":{"a":"' + r"\u003c" * 2**20 + '"}')
ENDLESS = added("big", ',"data":{"a":"' + "a" * 2**24 + '"}')


async def no_reload() -> None:
    pass


@pytest.mark.parametrize(("line", "lists"), [(ESCAPED, 1), (ENDLESS, 2)], ids=["6MiB", "16MiB"])
async def test_a_long_line_is_read_and_an_endless_one_is_listed(line: str, lists: int) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        again = bool(asked)
        if "watch" not in request.query:
            asked.append("list")
            items = f"{{{named('big')}}}" if again else ""
            return web.Response(text=f'{{"metadata":{{"resourceVersion":"1"}},"items":[{items}]}}')
        response = web.StreamResponse()
        await response.prepare(request)
        if len(asked) == 1:
            await response.write(line.encode())
        await response.write(added("small").encode())
        await asyncio.sleep(30)
        return response

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    sink = Taking(last="small")
    async with TestServer(app) as server:
        ours = Connection(Configuration(host=str(server.make_url("/"))), no_reload, identity="me")
        async with ours.session() as session:
            running = asyncio.create_task(Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), sink).run())
            await asyncio.wait_for(sink.all.wait(), timeout=30)
            assert not running.done()
            running.cancel()
    assert sink.taken == ["big", "small"]
    assert len(asked) == lists


@pytest.mark.usefixtures("at_once")
async def test_what_is_no_utf_8_is_asked_for_again() -> None:
    """In a string of the object's content, which is passed over while its name and version are read."""
    bad, good = b',"data":{"a":"\xff"}', b',"data":{"a":"b"}'
    asked: list[str | None] = []

    def item(name: str, content: bytes) -> bytes:
        return b"{" + named(name, version=3).encode() + content + b"}"

    async def answer(request: web.Request) -> web.StreamResponse:
        since = request.query.get("resourceVersion")
        content = good if since in asked else bad
        asked.append(since)
        if since is None:
            return web.Response(body=b'{"metadata":{"resourceVersion":"1"},"items":[' + item("listed", content) + b"]}")
        response = web.StreamResponse()
        await response.prepare(request)
        if since == "1":
            await response.write(added("between").encode())
        await response.write(b'{"type":"ADDED","object":' + item("watched", content) + b"}\n")
        await asyncio.sleep(30)
        return response

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    sink = Taking(last="watched")
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        running = asyncio.create_task(Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), sink).run())
        await asyncio.wait_for(sink.all.wait(), timeout=30)
        assert not running.done()
        running.cancel()
    assert sink.taken == ["listed", "between", "watched"]
    assert asked == [None, None, "1", "2", "2"]


async def test_kopf_reads_a_long_line_and_is_told_to_list_after_an_endless_one() -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=ESCAPED + ENDLESS)

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        ours = Connection(Configuration(host=str(server.make_url("/"))), no_reload, identity="me")
        async with ours.session() as session, session.get("/") as response:
            events = [json.loads(line) async for line in iter_jsonlines(response.content)]
    assert [(each["type"], each["object"].get("code")) for each in events] == [("ADDED", None), ("ERROR", 410)]


class Falls(web.View):
    """A server whose watches say nothing, as behind a firewall that forgets connections; it notes what is asked."""

    asked: list[dict[str, str]]
    resumed: asyncio.Event

    async def get(self) -> web.StreamResponse:
        self.asked.append(dict(self.request.query))
        if "watch" not in self.request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        response = web.StreamResponse()
        await response.prepare(self.request)
        if len(self.asked) > 2:
            self.resumed.set()
        await asyncio.sleep(30)
        return response


@pytest.fixture
async def falling() -> AsyncIterator[tuple[TestServer, list[dict[str, str]], asyncio.Event]]:
    Falls.asked, Falls.resumed = [], asyncio.Event()
    app = web.Application()
    app.router.add_view("/{path:.*}", Falls)
    async with TestServer(app) as server:
        yield server, Falls.asked, Falls.resumed


def test_a_silence_is_noticed_within_a_minute_and_never_on_a_stream_that_lives() -> None:
    assert cluster.WATCH_SECONDS < cluster.SILENCE_SECONDS
    assert cluster.SILENCE_SECONDS + max(watches._BACKOFF_SECONDS) < 60
    chosen = framework.settings()
    assert chosen.watching.server_timeout == cluster.WATCH_SECONDS
    assert chosen.watching.inactivity_timeout == cluster.SILENCE_SECONDS


async def test_a_stream_that_falls_silent_is_resumed_without_a_list(
    falling: tuple[TestServer, list[dict[str, str]], asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SILENCE_SECONDS", 0.2)
    server, asked, resumed = falling
    async with ClientSession(server.make_url("/")) as session:
        running = asyncio.create_task(Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody()).run())
        await asyncio.wait_for(resumed.wait(), timeout=30)
        running.cancel()
    assert ["watch" in query for query in asked[:3]] == [False, True, True]
    assert [query["timeoutSeconds"] for query in asked[1:3]] == [str(cluster.WATCH_SECONDS)] * 2


class Weary(web.View):
    """A server that answers as told, the first time that it may; it notes what is asked."""

    asked: list[str]
    fault: str
    again: asyncio.Event

    async def get(self) -> web.StreamResponse:
        watched, continued = "watch" in self.request.query, "continue" in self.request.query
        self.asked.append("watch" if watched else "next page" if continued else "list")
        refusal = {"kind": "Status", "status": "Failure", "message": "the provided continue parameter is too old"}
        if continued:
            return web.json_response({**refusal, "code": 410}, status=410)
        if not watched:
            more = {"continue": "c"} if self.fault == "next page" and len(self.asked) == 1 else {}
            return web.json_response({"metadata": {"resourceVersion": "1", **more}, "items": []})
        if len(self.asked) > 2:
            self.again.set()
        else:
            error = {"type": "ERROR", "object": {**refusal, "code": 500}}
            return web.Response(text=json.dumps(error) + "\n", content_type="application/json")
        await asyncio.sleep(30)
        return web.Response()


@contextlib.asynccontextmanager
async def kopf_asks(view: type[web.View], *traces: TraceConfig) -> AsyncIterator[None]:
    """Have what is asked by Kopf in here be answered by a view."""
    app = web.Application()
    app.router.add_view("/{path:.*}", view)
    async with TestServer(app) as server:
        ours = Connection(Configuration(host=str(server.make_url("/"))), no_reload, identity="me")
        vault = Vault({VaultKey("us"): framework.make_session(ours, *traces)})
        vault_var.set(vault)
        try:
            yield
        finally:
            await vault.close()


async def follow(view: type[web.View], until: asyncio.Event, *traces: TraceConfig) -> None:
    """Have Kopf follow the resources that a view lists, without its own second before a new list."""
    chosen = framework.settings()
    chosen.watching.reconnect_backoff = 0.0
    followed = Resource(naming.GROUP, naming.VERSION, naming.PLURAL, namespaced=True)

    async def follow() -> None:
        async for _ in infinite_watch(settings=chosen, resource=followed, namespace=None):
            pass

    async with kopf_asks(view, *traces):
        running, again = asyncio.create_task(follow()), asyncio.create_task(until.wait())
        await asyncio.wait({running, again}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running.exception()
        for task in (running, again):
            task.cancel()
        await asyncio.gather(running, again, return_exceptions=True)


class Torn(web.View):
    """Tells what it serves, and breaks off in the middle the first time that it is asked for each of it."""

    asked: Counter[str]

    async def get(self) -> web.StreamResponse:
        path = self.request.path
        self.asked[path] += 1
        versions = [{"groupVersion": f"{naming.GROUP}/{naming.VERSION}", "version": naming.VERSION}]
        ours = {"name": naming.PLURAL, "singularName": "", "kind": naming.RESOURCE_KIND, "namespaced": True}
        answer = {
            "/api": {"versions": ["v1"]},
            "/apis": {"groups": [{"name": naming.GROUP, "versions": versions, "preferredVersion": versions[0]}]},
            "/api/v1": {"resources": []},
        }.get(path, {"resources": [ours]})
        if self.asked[path] > 1:
            return web.json_response(answer)
        return await torn(self.request, 200, answer)


async def torn(request: web.Request, status: int, body: Object) -> web.StreamResponse:
    """Break off in the middle."""
    response = web.StreamResponse(status=status, headers={"Content-Type": "application/json", "Content-Length": "5000"})
    await response.prepare(request)
    await response.write(json.dumps(body).encode())
    assert request.transport
    request.transport.close()
    return response


async def test_kopf_asks_again_for_kinds_that_broke_off_and_does_not_end() -> None:
    """As a connection does that is cut while Kopf reads them at its start."""
    Torn.asked = Counter()
    async with kopf_asks(Torn):
        found = await scan_resources(settings=framework.settings(), logger=logging.getLogger())
    assert {(each.group, each.plural) for each in found} == {(naming.GROUP, naming.PLURAL)}
    assert set(Torn.asked.values()) == {2}


@pytest.mark.parametrize("fault", ["next page", "watch"])
async def test_kopf_lists_anew_and_does_not_end(fault: str) -> None:
    """At a page that took too long to be asked for, and at an error in a watch that is not the one it knows."""
    Weary.asked, Weary.fault, Weary.again = [], fault, asyncio.Event()
    await follow(Weary, Weary.again)
    assert Weary.asked == ["list", fault, "list", "watch"]


class Timed(web.View):
    """A server of an empty list, which notes when its watches began; the last of so many is not answered."""

    last: int
    began: list[float]
    enough: asyncio.Event

    async def get(self) -> web.StreamResponse:
        if "watch" not in self.request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        self.began.append(time.monotonic())
        if len(self.began) == self.last:
            self.enough.set()
            await asyncio.sleep(30)
        return await self.ended()

    async def ended(self) -> web.StreamResponse:
        raise NotImplementedError


class Ill(Timed):
    """Ends each watch with an error, the third one after a bookmark."""

    last = 5

    async def ended(self) -> web.StreamResponse:
        return lines_of(*[BOOKMARK] if len(self.began) == 3 else [], error(500))


async def test_kopf_is_told_of_errors_one_after_the_other_ever_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them costs a list of everything, of a server that is ill already."""
    monkeypatch.setattr(answer, "_WAITS", (0.0, 0.2, 60.0))
    Ill.began, Ill.enough = [], asyncio.Event()
    await follow(Ill, Ill.enough)
    assert Ill.enough.is_set(), "a bookmark shows that it lives"
    waits = [after - before for before, after in pairwise(Ill.began)]
    assert min(waits[1], waits[3]) >= 0.2


class Refusing(Timed):
    """Refuses each watch, and breaks off while it says why."""

    last = 4

    async def ended(self) -> web.StreamResponse:
        return await torn(self.request, 503, {"kind": "Status", "code": 503})


async def test_kopf_waits_after_a_watch_that_is_refused_by_half_an_answer() -> None:
    Refusing.began, Refusing.enough = [], asyncio.Event()
    await follow(Refusing, Refusing.enough)
    assert Refusing.enough.is_set()
    assert Refusing.began[-1] - Refusing.began[0] >= 3.0


class Erring(web.View):
    """A server that ends each watch with an error, after words or a pause; the last one is not answered."""

    lines: tuple[Object, ...]
    pause: float
    last: int
    watched: int
    enough: asyncio.Event

    async def get(self) -> web.StreamResponse:
        if "watch" not in self.request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        Erring.watched += 1
        if self.watched == self.last:
            self.enough.set()
            await asyncio.sleep(30)
        response = web.StreamResponse()
        await response.prepare(self.request)
        await asyncio.sleep(self.pause)
        for event in (*self.lines, error(500)):
            await response.write(f"{json.dumps(event)}\n".encode())
        return response

    @classmethod
    def says(cls, *lines: Object, pause: float, last: int = 3) -> None:
        cls.lines, cls.pause, cls.last, cls.watched, cls.enough = lines, pause, last, 0, asyncio.Event()


ERRS = pytest.mark.parametrize(
    ("lines", "pause", "alive"),
    [((), 0.0, False), ((BOOKMARK,), 0.0, True), ((), 1.5, True)],
    ids=["error", "error after a bookmark", "error of a quiet one"],
)


@ERRS
async def test_kopfs_watches_that_do_nothing_but_err_are_no_heartbeat(
    lines: tuple[Object, ...], pause: float, alive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer, "_WAITS", (0.0,))
    Erring.says(*lines, pause=pause)
    heartbeat = framework.Heartbeat(())
    heartbeat.start()
    began = time.monotonic()
    await follow(Erring, Erring.enough, heartbeat.trace())
    since = time.monotonic() - began
    for ages in (heartbeat.ages(), heartbeat.silences()):
        (age,) = ages.values()
        assert (age() < since) == alive


@ERRS
@pytest.mark.usefixtures("at_once")
async def test_our_watches_that_do_nothing_but_err_are_no_sign_of_life(
    lines: tuple[Object, ...], pause: float, alive: bool
) -> None:
    Erring.says(*lines, pause=pause)
    app = web.Application()
    app.router.add_view("/{path:.*}", Erring)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody())
        stream._version = "1"  # a list would be a sign of life as well
        running = asyncio.create_task(stream.run())
        await asyncio.sleep(0)  # it counts from here on
        began = time.monotonic()
        await asyncio.wait_for(Erring.enough.wait(), timeout=30)
        assert (stream.age_seconds < time.monotonic() - began) == alive
        running.cancel()


async def test_kopfs_quiet_watches_that_err_begin_to_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "_WAITS", (0.0, 60.0))
    Erring.says(pause=1.5, last=4)
    await follow(Erring, Erring.enough)
    assert Erring.enough.is_set()


async def test_our_quiet_watches_that_err_begin_to_wait_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "_BACKOFF_SECONDS", (0.01, 60.0))
    Erring.says(pause=1.5, last=4)
    app = web.Application()
    app.router.add_view("/{path:.*}", Erring)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        running = asyncio.create_task(Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody()).run())
        await asyncio.wait_for(Erring.enough.wait(), timeout=30)
        running.cancel()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("code", [403, 404])
async def test_a_kind_is_not_absent_where_its_watches_err(code: int) -> None:
    """With the fifth error its version is suspected, and yet it was no list that was refused."""
    watched, enough, absent = 0, asyncio.Event(), Mock()

    async def answer(request: web.Request) -> web.Response:
        nonlocal watched
        if "watch" not in request.query:
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})
        watched += 1
        if watched > watches._ERRORS:
            enough.set()
        return lines_of(error(code))

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        stream = Stream(Cluster(session), WatchScope(CONFIG_MAP, None, "a=b"), Nobody(), absent=absent)
        running = asyncio.create_task(stream.run())
        await asyncio.wait_for(enough.wait(), timeout=30)
        assert not absent.called
        running.cancel()


class Curt(Timed):
    """Ends each watch without a word, in peace or not."""

    last = 3
    aborts: bool

    async def ended(self) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(self.request)
        if self.aborts:
            assert self.request.transport
            self.request.transport.abort()
        return response


@pytest.mark.parametrize("aborts", [False, True], ids=["ended", "broken"])
async def test_kopfs_watches_that_end_at_once_are_not_asked_for_in_a_loop(
    monkeypatch: pytest.MonkeyPatch, *, aborts: bool
) -> None:
    monkeypatch.setattr(answer, "_SHORT_SECONDS", 0.3)
    Curt.aborts, Curt.began, Curt.enough = aborts, [], asyncio.Event()
    await follow(Curt, Curt.enough)
    assert min(after - before for before, after in pairwise(Curt.began)) >= 0.29


async def test_kopfs_stream_that_falls_silent_is_resumed_without_a_list(
    falling: tuple[TestServer, list[dict[str, str]], asyncio.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framework, "SILENCE_SECONDS", 0.2)
    server, asked, resumed = falling
    ours = Connection(Configuration(host=str(server.make_url("/"))), no_reload, identity="me")
    session = kopf.AiohttpSession(aiohttp_session=ours.session(), server=ours.server)
    vault = Vault({VaultKey("us"): session})
    vault_var.set(vault)
    followed = Resource(naming.GROUP, naming.VERSION, naming.PLURAL, namespaced=True)

    async def follow() -> None:
        async for _ in infinite_watch(settings=framework.settings(), resource=followed, namespace=None):
            pass

    running = asyncio.create_task(follow())
    await asyncio.wait_for(resumed.wait(), timeout=30)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await vault.close()
    assert ["watch" in query for query in asked[:3]] == [False, True, True]
    assert [query["timeoutSeconds"] for query in asked[1:3]] == [str(cluster.WATCH_SECONDS)] * 2


@pytest.mark.parametrize("kind", [CONFIG_MAP, DEPLOYMENT], ids=lambda kind: kind.name)
async def test_pages_are_short_where_objects_are_large(kind: Kind) -> None:
    """As anybody may make and label them: fifty of what etcd takes are 70 MB, in all streams at once."""
    sizes = [1_000] * 60 + [1_400_000] * 12 + [6_000_000] + [1_000] * 60
    stored = [f'{{{named(str(number))},"data":"{"a" * size}"}}' for number, size in enumerate(sizes)]

    async def answer(request: web.Request) -> web.Response:
        start = int(request.query.get("continue", "0"))
        end = start + int(request.query["limit"])
        more = f',"continue":"{end}"' if end < len(stored) else ""
        items = ",".join(stored[start:end])
        return web.Response(text=f'{{"metadata":{{"resourceVersion":"1"{more}}},"items":[{items}]}}')

    app = web.Application()
    app.router.add_get(kind.path(None), answer)
    async with TestServer(app) as server:
        ours = Connection(Configuration(host=str(server.make_url("/"))), no_reload, identity="me")
        async with ours.session() as session:
            pages = [page.items async for page in Cluster(session).pages(kind, None, "a=b")]
    assert "".join(bytes(item).decode() for items in pages for item in items) == "".join(stored)
    assert max(sum(len(bytes(item)) for item in items) for items in pages if len(items) > 1) < 2**22
    assert len(pages) < 30


async def test_a_watch_is_counted_once_whatever_becomes_of_it() -> None:
    counted: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        assert request.transport
        request.transport.abort()
        return response

    async def watch(session: ClientSession) -> None:
        ours = Cluster(session, observe=lambda verb, code: counted.append((verb, code)))
        with pytest.raises(cluster.ApiError):
            async for _ in ours.watch(CONFIG_MAP, None, "a=b", "1", lambda: None):
                pass

    app = web.Application()
    app.router.add_get("/api/v1/configmaps", answer)
    async with TestServer(app) as server, ClientSession(server.make_url("/")) as session:
        await watch(session)
        await server.close()
        await watch(session)
    assert counted == [("watch", "200"), ("watch", "none")]
