"""What the API server, or the way to it, may do to an operator: each for as long as a test wants it."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from tests.cluster.forwarder import ThreadedForwarder, is_watch

CUT, FROZEN, HUNG = "streams cut", "no byte gets through", "a hung connection"


class Fault(NamedTuple):
    """Which requests it concerns, and what they are answered instead; nothing lets a request pass."""

    name: str
    concerns: Callable[[web.Request], bool]
    answer: Callable[[], Awaitable[web.StreamResponse | None]]


async def _gone() -> web.StreamResponse:
    error = {"type": "ERROR", "object": _status(410, "Expired", "too old resource version: 1 (2)")}
    return web.Response(text=json.dumps(error) + "\n", content_type="application/json")


async def _failed() -> web.StreamResponse:
    error = {"type": "ERROR", "object": _status(500, "InternalError", "etcdserver: no leader")}
    return web.Response(text=json.dumps(error) + "\n", content_type="application/json")


async def _expired() -> web.StreamResponse:
    return _refusal(410, "Expired", "The provided continue parameter is too old")


async def _overloaded() -> web.StreamResponse:
    refusal = _refusal(429, "TooManyRequests", "too many requests, please try again later")
    refusal.headers["Retry-After"] = "1"
    return refusal


async def _broken() -> web.StreamResponse:
    return _refusal(500, "InternalError", "etcdserver: leader changed")


async def _conflicting() -> web.StreamResponse:
    return _refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


async def _not_served() -> web.StreamResponse:
    return web.Response(status=404, text="404 page not found\n")


async def _late() -> None:
    await asyncio.sleep(2)


async def _never() -> None:
    await asyncio.Event().wait()


def _every(request: web.Request) -> bool:
    return True


def _writes(request: web.Request) -> bool:
    return request.method != "GET"


# A watch is answered so once the API server has compacted what it wants to start from.
GONE = Fault("410 Gone", is_watch, _gone)
# A watch ends so when what it reads from fails.
FAILED = Fault("an error in a watch", is_watch, _failed)
# As a list's next page is answered once the API server has compacted what the list began with.
EXPIRED = Fault("410 Gone for a next page", lambda request: "continue" in request.query, _expired)
# As priority and fairness answers when its queues are full.
OVERLOADED = Fault("429 Too Many Requests", _every, _overloaded)
# As an API server does whose etcd has no leader.
BROKEN = Fault("500 Internal Server Error", _every, _broken)
# As if somebody else had been faster, each time.
CONFLICTING = Fault("409 Conflict", _writes, _conflicting)
# As if nobody had installed the CustomResourceDefinition; what is there of it already is only out of sight.
NOT_SERVED = Fault("404 page not found", _every, _not_served)
SLOW = Fault("slow answers", _every, _late)
# Until whoever asked gives up; nothing gets through.
SILENT = Fault("no answer", _every, _never)


def only(path: str, fault: Fault) -> Fault:
    """Confine a fault to the requests with this in their path."""
    return fault._replace(concerns=lambda request: path in request.path and fault.concerns(request))


class FaultProxy(ThreadedForwarder):
    """A way to the API server that can be spoiled; `felt` counts the requests that each fault met, by its name."""

    def __init__(self, kubeconfig: Path) -> None:
        self.felt: Counter[str] = Counter()
        self._fault: Fault | None = None
        self._running: dict[asyncio.Task[Any], web.Request] = {}
        self._connections: set[object] = set()
        self._hung: set[object] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        super().__init__(kubeconfig)

    def spoil(self, fault: Fault) -> None:
        """Break all that streams, and answer thus from now on."""
        self._fault = fault
        self._call(self._cut())

    def heal(self) -> None:
        """Let everything pass from now on, but for what hangs: that is dead for good."""
        self._fault = None
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """Break every connection that is in use, but for those that hang: of them nobody hears."""
        self.felt[CUT] += self._call(self._cut())

    def freeze(self) -> None:
        """Let no byte through, and keep every connection open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def streams(self) -> set[str]:
        """Return the paths of what is being watched."""
        paths: set[str] = self._call(self._streams())
        return paths

    def hang(self) -> None:
        """Let no byte through any connection that is there, nor close it; new ones work."""
        self._call(self._hang())

    def close(self) -> None:
        """End all of it."""
        self.heal()
        super().close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the fault, if it concerns the request."""
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = request
        self._connections.add(request.protocol)
        try:
            await self.passes(request)
            return await self._spoiled(request) or await self.pass_on(request)
        finally:
            del self._running[task]

    async def passes(self, request: web.Request) -> None:
        """Hold back what is asked and answered while frozen, and for ever on a connection that hangs."""
        if request.protocol in self._hung:
            self.felt[HUNG] += 1
            await _never()
        if not self._flowing.is_set():
            self.felt[FROZEN] += 1
            await self._flowing.wait()

    async def _spoiled(self, request: web.Request) -> web.StreamResponse | None:
        fault = self._fault
        if fault is None or not fault.concerns(request):
            return None
        self.felt[fault.name] += 1
        return await fault.answer()

    async def _streams(self) -> set[str]:
        running = [request for task, request in self._running.items() if not task.cancelling()]
        return {request.path for request in running if is_watch(request)}

    async def _hang(self) -> None:
        self._hung |= self._connections

    async def _cut(self) -> int:
        living = [task for task, request in self._running.items() if request.protocol not in self._hung]
        for task in living:
            task.cancel()
        return len(living)


def _refusal(code: int, reason: str, message: str) -> web.Response:
    return web.json_response(_status(code, reason, message), status=code)


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    status = {"status": "Failure", "reason": reason, "message": message, "code": code}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **status}
