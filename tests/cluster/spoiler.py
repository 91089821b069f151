"""What the API server, or the way to it, may do to an operator: each for as long as a test wants it."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.cluster.forwarder import Forwarder, is_watch

# Returns what to answer instead, or nothing to let a request pass.
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


async def gone(request: web.Request) -> web.StreamResponse | None:
    """Answer each watch as the API server does once it has compacted what the watch wants to start from."""
    if not is_watch(request):
        return None
    error = {"type": "ERROR", "object": _status(410, "Expired", "too old resource version: 1 (2)")}
    return web.Response(text=json.dumps(error) + "\n", content_type="application/json")


async def overloaded(request: web.Request) -> web.StreamResponse | None:
    """Answer as priority and fairness does when its queues are full."""
    refusal = _refusal(429, "TooManyRequests", "too many requests, please try again later")
    refusal.headers["Retry-After"] = "1"
    return refusal


async def broken(request: web.Request) -> web.StreamResponse | None:
    """Answer as an API server does whose etcd has no leader."""
    return _refusal(500, "InternalError", "etcdserver: leader changed")


async def conflicting(request: web.Request) -> web.StreamResponse | None:
    """Refuse every write as if somebody else had been faster."""
    if request.method == "GET":
        return None
    return _refusal(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


async def slow(request: web.Request) -> web.StreamResponse | None:
    """Let everything pass, late."""
    await asyncio.sleep(2)
    return None


def only(path: str, fault: Fault) -> Fault:
    """Confine a fault to the requests about one kind."""

    async def confined(request: web.Request) -> web.StreamResponse | None:
        return await fault(request) if path in request.path else None

    return confined


class Spoiler(Forwarder):
    """A way to the API server in a thread of its own; `kubeconfig` leads through it."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self._fault: Fault | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.kubeconfig: Path = self._call(self.start())

    def spoil(self, fault: Fault) -> None:
        """Break all that streams, and answer thus from now on."""
        self._fault = fault
        self.cut()

    def heal(self) -> None:
        """Let everything pass from now on."""
        self._fault = None
        self._loop.call_soon_threadsafe(self._flowing.set)

    def cut(self) -> None:
        """Break every connection that is in use."""

        async def cut() -> None:
            for task in self._running:
                task.cancel()

        self._call(cut())

    def freeze(self) -> None:
        """Let no byte through, and keep every connection open."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def close(self) -> None:
        """End all of it."""
        self.heal()
        self._call(self.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the fault, if there is one."""
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            await self._flowing.wait()
            instead = await self._fault(request) if self._fault else None
            return instead or await self.pass_on(request)
        finally:
            self._running.discard(task)

    async def chunk_passes(self) -> None:
        """Hold answers back while frozen."""
        await self._flowing.wait()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def _refusal(code: int, reason: str, message: str) -> web.Response:
    return web.json_response(_status(code, reason, message), status=code)


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    status = {"status": "Failure", "reason": reason, "message": message, "code": code}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, **status}
