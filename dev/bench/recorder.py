"""What the operator asks of the API server for one resource, written down on the way, to be sent again bare.

The mix is the operator's own, byte for byte, rather than what somebody believes it sends.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from yarl import URL

from dev.bench.client import RefusedError, side_by_side
from tests.cluster.forwarder import Forwarder, is_watch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import aiohttp
    from aiohttp import web


class Exchange(NamedTuple):
    """One request as it was sent."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Subject(NamedTuple):
    """A resource, by the words that tell its requests from another's."""

    name: str
    namespace: str
    uid: str


class Recorder(Forwarder):
    """Writes down what passes."""

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__(kubeconfig)
        self._exchanges: list[Exchange] = []

    def about(self, name: str) -> list[Exchange]:
        """Return what was asked for one resource, without what is asked once for all of them."""
        return [each for each in self._exchanges if name in each.path or name in each.body]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Let it pass, streams and the Lease without a note."""
        if not is_watch(request) and "/leases" not in request.path:
            kept = {name: request.headers[name] for name in ("Accept", "Content-Type") if name in request.headers}
            self._exchanges.append(Exchange(request.method, request.path_qs, kept, (await request.read()).decode()))
        return await self.pass_on(request)


class Replay(NamedTuple):
    """How the bare client did."""

    resources: int
    requests: int
    seconds: float
    cpu_seconds: float


async def replay(
    client: aiohttp.ClientSession, exchanges: list[Exchange], model: Subject, others: Iterable[Subject]
) -> Replay:
    """Send for every resource what was recorded for one, the requests of one resource after another."""
    others = list(others)
    began, cpu = time.perf_counter(), time.process_time()
    await side_by_side(partial(_again, client, exchanges, model, other) for other in others)
    return Replay(len(others), len(exchanges) * len(others), time.perf_counter() - began, time.process_time() - cpu)


async def _again(client: aiohttp.ClientSession, exchanges: list[Exchange], model: Subject, other: Subject) -> None:
    for method, path, headers, body in exchanges:
        url = URL(_renamed(path, model, other), encoded=True)
        async with client.request(method, url, data=_renamed(body, model, other) or None, headers=headers) as response:
            content = await response.read()
            if response.status >= 400 and not (method == "GET" and response.status == 404):
                raise RefusedError(method, url, response.status, content)


def _renamed(text: str, model: Subject, other: Subject) -> str:
    for before, after in zip(model, other, strict=True):
        text = text.replace(before, after)
    return text
