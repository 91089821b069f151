"""A bare client of the API server: nothing but connections and bytes, which is what the operator is compared with."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

CONNECTIONS = 20
_PATIENCE = aiohttp.ClientTimeout(total=60)


class RefusedError(Exception):
    """The API server did not want what a benchmark needs, and answered with this status."""

    def __init__(self, method: str, path: object, status: int, content: bytes) -> None:
        super().__init__(f"{method} {path}: {status} {content[:300]!r}")
        self.status = status


def session(kubeconfig: Path, connections: int = CONNECTIONS) -> aiohttp.ClientSession:
    """Log in with a kubeconfig's token or certificate; 0 connections: as many as there are requests."""
    config = yaml.safe_load(kubeconfig.read_text())
    server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cadata=authority(config) or None)
    if "client-key-data" in user:
        with tempfile.NamedTemporaryFile() as pair:
            for part in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[part]) + b"\n")
            pair.flush()
            context.load_cert_chain(pair.name)
    return aiohttp.ClientSession(
        base_url=server["server"],
        headers={"Authorization": f"Bearer {user['token']}"} if "token" in user else {},
        connector=aiohttp.TCPConnector(limit=connections, ssl=context),
        timeout=_PATIENCE,
    )


def authority(kubeconfig: dict[str, Any]) -> str:
    """Return the certificates that the API server's is checked against; empty: the machine's own."""
    cluster = kubeconfig["clusters"][0]["cluster"]
    return base64.b64decode(cluster.get("certificate-authority-data", "")).decode()


async def ask(client: aiohttp.ClientSession, method: str, path: str, body: Any = None, kind: str = "json") -> Any:
    """Send one request of the benchmark's own and return the decoded answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": f"application/{kind}"}
    async with client.request(method, path, data=data, headers=headers) as response:
        content = await response.read()
        if response.status >= 400:
            raise RefusedError(method, path, response.status, content)
        return json.loads(content)


async def side_by_side(jobs: Iterator[Callable[[], Awaitable[object]]]) -> None:
    """Do all jobs, as many at a time as there are connections."""

    async def work() -> None:
        for job in jobs:
            await job()

    async with asyncio.TaskGroup() as workers:
        for _ in range(CONNECTIONS):
            workers.create_task(work())
