"""The service's HTTP client, which is aiohttp: docs/decisions/0040 says why."""

from __future__ import annotations

import asyncio
import socket
from functools import cached_property
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from aiohttp.abc import ResolveResult
    from yarl import URL

# Servers and balancers close idle connections after five seconds and more; who closes first loses no request.
KEEPALIVE_SECONDS = 4.0


class HttpClient:
    """Connections of one purpose; no redirect is followed, no cookie kept, no proxy used that is not asked for.

    `connect_seconds` bounds the look-up of a name and the making of a connection, `patience_seconds` the wait for a
    free one and for each part of an answer. Other options are those of `aiohttp.ClientSession`. Its event loop is that
    of the first request.
    """

    def __init__(self, connections: int, connect_seconds: float, patience_seconds: float, **options: Any) -> None:
        self._connections = connections
        self._connect_seconds = connect_seconds
        self._options = options
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=patience_seconds + connect_seconds,
            sock_connect=connect_seconds,
            sock_read=patience_seconds,
        )

    def request(self, method: str, url: URL, **options: Any) -> aiohttp.client._RequestContextManager:
        """Return what sends the request and holds its answer while it is entered; raise `aiohttp.ClientError` there."""
        return self._session.request(method, url, allow_redirects=False, **options)

    async def aclose(self) -> None:
        """Close all connections."""
        if "_session" in vars(self):
            await self._session.close()

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                resolver=_PatientResolver(self._connect_seconds),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            **self._options,
        )


class _PatientResolver(aiohttp.ThreadedResolver):
    """Gives a name up after a while; aiohttp itself bounds the connection alone by it."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._seconds):
                return await super().resolve(host, port, family)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, f"not resolved within {self._seconds:g} s") from None


def succeeded(status: int) -> bool:
    """Tell an answer that is neither a redirect nor an error."""
    return 200 <= status < 300
