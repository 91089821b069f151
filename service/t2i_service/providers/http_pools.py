"""Several small connection pools in place of a large one: docs/decisions/0043 says what that saves."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

POOL_SIZE = 8
KEEPALIVE_SECONDS = 4.0


class Pools:
    """`httpx` clients that are made as they are needed; together they have as many connections as are asked for."""

    def __init__(self, connections: int, **options: Any) -> None:
        limits = httpx.Limits(
            max_connections=POOL_SIZE, max_keepalive_connections=POOL_SIZE, keepalive_expiry=KEEPALIVE_SECONDS
        )
        # Reading the certificates takes time and memory, once for all.
        verify = httpx.create_ssl_context(trust_env=False)
        self._options = {"limits": limits, "verify": verify, "trust_env": False, **options}
        self._most = math.ceil(connections / POOL_SIZE)
        self._clients: list[httpx.AsyncClient] = []
        self._busy: list[int] = []

    @contextmanager
    def client(self) -> Iterator[httpx.AsyncClient]:
        """Lend the first with room, so that few calls share few connections; else the one with the least to do."""
        at = next((index for index, busy in enumerate(self._busy) if busy < POOL_SIZE), None)
        if at is None:
            at = self._another() if len(self._clients) < self._most else self._busy.index(min(self._busy))
        self._busy[at] += 1
        try:
            yield self._clients[at]
        finally:
            self._busy[at] -= 1

    async def aclose(self) -> None:
        """Close all of them."""
        for client in self._clients:
            await client.aclose()

    def _another(self) -> int:
        self._clients.append(httpx.AsyncClient(**self._options))
        self._busy.append(0)
        return len(self._clients) - 1
