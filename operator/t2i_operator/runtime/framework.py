"""Kopf, set up to watch the resources and write nothing by itself."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import aiohttp
import kopf

from t2i_operator import naming
from t2i_operator.kube.answer import Answer
from t2i_operator.kube.cluster import SILENCE_SECONDS, WATCH_SECONDS
from t2i_operator.kube.connection import Connection
from t2i_operator.kube.kinds import RESOURCE

# Who asks for a session again within that has been refused with the last one.
_LOGIN_SECONDS = 60.0


class _Backoffs:
    """Endless: Kopf would give up and end the process after a minute without the API server."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.2, 1.0, 2.0, 5.0)
        while True:
            yield 10.0


class _NoDiffs(kopf.DiffBaseStorage):
    """Kopf copies every object at every event to find differences that nobody asks for."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        pass


class _NoProgress(kopf.ProgressStorage):
    """Nothing is kept in annotations."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        pass

    def purge(self, **_: Any) -> None:
        pass

    def touch(self, **_: Any) -> None:
        pass

    def clear(self, *, essence: Any) -> Any:
        return essence


class Heartbeat:
    """When the API server last answered on the resources' streams, of which Kopf has one for each namespace."""

    def __init__(self, namespaces: tuple[str, ...]) -> None:
        self._paths = {namespace or "*": RESOURCE.path(namespace) for namespace in namespaces or (None,)}
        self._at: dict[str, float | None] = dict.fromkeys(self._paths)
        self._answered_at = self._at.copy()  # a refusal is an answer, too
        self._refused: set[str] = set()

    def start(self) -> None:
        """Count from now on."""
        for times in (self._at, self._answered_at):
            times.update(dict.fromkeys(self._paths, time.monotonic()))

    def ages(self) -> dict[str, Callable[[], float]]:
        """Return how many seconds ago that was, by the stream's name; 0 before the start."""
        return {_name(where): partial(_since, self._at, where) for where in self._paths}

    def silences(self) -> dict[str, Callable[[], float]]:
        """Return the same, with refusals for answers."""
        return {_name(where): partial(_since, self._answered_at, where) for where in self._paths}

    def refused(self) -> set[str]:
        """Name the streams that the API server forbids, which Kopf asks for again and again; 404 would end it."""
        return {_name(where) for where in self._refused}

    def trace(self) -> aiohttp.TraceConfig:
        """Return the hook that hears the answers: a stream lives when its watch is resumed, not when a list works.

        Nor when a watch is resumed only to err at once.
        """
        config = aiohttp.TraceConfig()

        async def answered(
            _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams
        ) -> None:
            where = self._where(params.url.path)
            if where is None:
                return
            if params.response.status == HTTPStatus.FORBIDDEN:
                self._refused.add(where)
                self._answered_at[where] = time.monotonic()
            else:
                self._refused.discard(where)
            if params.response.status < 400 and "watch" in params.url.query:
                if isinstance(params.response, Answer):
                    before = self._at[where], self._answered_at[where]
                    params.response.if_it_errs(partial(self._take_back, where, *before))
                self._at[where] = self._answered_at[where] = time.monotonic()

        config.on_request_end.append(answered)
        return config

    def _take_back(self, where: str, at: float | None, answered_at: float | None) -> None:
        self._at[where], self._answered_at[where] = at, answered_at

    def _where(self, path: str) -> str | None:
        """Know a stream by the end of its path: a server may lie below a path of a proxy's."""
        return next((where for where, own in self._paths.items() if path.endswith(own)), None)


def _since(times: Mapping[str, float | None], where: str) -> float:
    at = times[where]
    return 0.0 if at is None else time.monotonic() - at


def _name(where: str) -> str:
    return f"{naming.PLURAL}@{where}"


def settings() -> kopf.OperatorSettings:
    """Return Kopf's settings; CRDs and namespaces are not scanned, which needs cluster-wide rights and memory.

    A watch that the server ends and Kopf resumes is the heartbeat of a stream whose bookmarks Kopf keeps.
    """
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.peering.standalone = True
    chosen.watching.server_timeout = WATCH_SECONDS
    chosen.watching.inactivity_timeout = SILENCE_SECONDS
    # A page is decoded at once, and a resource is as large as etcd takes; 1,000 of them are 200 short lists.
    chosen.watching.chunk_size = 5
    # Before a new list: what ends watches again and again would else have ten a second.
    chosen.watching.reconnect_backoff = 1.0
    chosen.networking.error_backoffs = _Backoffs()
    chosen.networking.request_timeout = 30
    chosen.queueing.idle_timeout = 0.5
    chosen.process.ultimate_exiting_timeout = 20
    chosen.persistence.diffbase_storage = _NoDiffs()
    chosen.persistence.progress_storage = _NoProgress()
    return chosen


def counted(observe: Callable[[str, str], None]) -> aiohttp.TraceConfig:
    """Return the hook that counts requests of a session that is not `Cluster`'s, by the same words."""
    config = aiohttp.TraceConfig()

    def count(params: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestExceptionParams, code: str) -> None:
        observe("watch" if "watch" in params.url.query else params.method.lower(), code)

    async def answered(_: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
        count(params, str(params.response.status))

    async def failed(
        _: aiohttp.ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        count(params, "none")

    config.on_request_end.append(answered)
    config.on_request_exception.append(failed)
    return config


def log_in(registry: kopf.OperatorRegistry, connection: Connection, *traces: aiohttp.TraceConfig) -> None:
    """Give Kopf a session that authenticates as ours does.

    Kopf asks for one at each 401 and tries it at once. It bars what was refused before, and each of ours is another, so
    that a token which stays refused is waited for here.
    """
    waits, given_at = iter(_Backoffs()), -math.inf

    @kopf.on.login(registry=registry)
    async def session(**_: Any) -> kopf.AiohttpSession:
        nonlocal waits, given_at
        if time.monotonic() - given_at < _LOGIN_SECONDS:
            await asyncio.sleep(next(waits))
        else:
            waits = iter(_Backoffs())
        given_at = time.monotonic()
        return make_session(connection, *traces)


def make_session(connection: Connection, *traces: aiohttp.TraceConfig) -> kopf.AiohttpSession:
    """Make a session for Kopf; it closes what it is given."""
    opened = connection.session(*traces, check=_read)
    return kopf.AiohttpSession(aiohttp_session=opened, server=connection.server)


async def _read(response: aiohttp.ClientResponse) -> None:
    """Read all but streams here, where Kopf asks again for what fails, and waits: what breaks off later may end it.

    Have it list anew where the next page of a list is Gone, which would end it too.
    """
    watches = "watch" in response.url.query
    if watches and response.ok:
        return
    try:
        await response.read()
    except aiohttp.ClientPayloadError as error:
        raise aiohttp.ClientConnectionError(f"{response.url.path} broke off: {error}") from error
    if response.status == HTTPStatus.GONE and not watches:
        raise aiohttp.ClientPayloadError(f"{response.url.path} is to be listed anew")


def scope(namespaces: tuple[str, ...]) -> Mapping[str, Any]:
    """Return Kopf's own words for where to watch."""
    return {"namespaces": namespaces} if namespaces else {"clusterwide": True}
