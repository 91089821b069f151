"""Between one operator and the API server, request by request, on loopback and without TLS: to look at, or to spoil."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from dev.bench.client import session

_PASSED_ON = ("Authorization", "Content-Type", "Accept", "User-Agent")


class Forwarder:
    """Passes everything on as it is; what is derived from it looks at the requests, or answers them otherwise."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def start(self) -> Path:
        """Return the kubeconfig of the way through here."""
        self._onward = session(self._kubeconfig, connections=0)
        application = web.Application(client_max_size=2**22)
        application.router.add_route("*", "/{path:.*}", self.answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        config = yaml.safe_load(self._kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://{host}:{port}"}
        way = self._kubeconfig.with_name(f"{self._kubeconfig.name}-forwarded")
        way.touch(mode=0o600)
        way.write_text(yaml.safe_dump(config))
        return way

    async def stop(self) -> None:
        """Break what still streams."""
        await self._runner.cleanup()
        await self._onward.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        return await self.pass_on(request)

    async def pass_on(self, request: web.Request) -> web.StreamResponse:
        """Let the API server answer; what breaks off on its side breaks off on ours."""
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        url, body = URL(self.target(request), encoded=True), await request.read()
        patience = aiohttp.ClientTimeout(total=None)
        async with self._onward.request(
            request.method, url, data=body or None, headers=headers, timeout=patience
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            self.answered(request, answer.status)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await self.passes(request)
                await response.write(chunk)
            await self.passes(request)
            return response

    def target(self, request: web.Request) -> str:
        """Return what to ask the API server for: the path with the query."""
        return request.path_qs

    def answered(self, request: web.Request, status: int) -> None:
        """Take note of how the API server begins its answer."""

    async def passes(self, request: web.Request) -> None:
        """Return when the next piece of the answer to a request, or its end, may pass."""


class ThreadedForwarder(Forwarder):
    """In a thread of its own, for tests that have no event loop; `kubeconfig` leads through it."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.kubeconfig: Path = self._call(self.start())

    def close(self) -> None:
        """Break what still streams, and end."""
        self._call(self.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def is_watch(request: web.Request) -> bool:
    """Tell a stream from a request that ends."""
    return "watch=true" in request.query_string
