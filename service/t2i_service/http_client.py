"""The service's HTTP client, which is aiohttp: docs/decisions/0040 says why."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from yarl import URL

# Servers and balancers close idle connections after five seconds and more; who closes first loses no request.
KEEPALIVE_SECONDS = 4.0


class HttpClient:
    """Connections of one purpose; no redirect is followed, no cookie kept, no proxy used that is not asked for.

    `connect_seconds` bounds the making of a connection, `patience_seconds` the wait for a free one and for each part of
    an answer. Other options are those of `aiohttp.ClientSession`. Its event loop is the one of the first request.
    """

    def __init__(self, connections: int, connect_seconds: float, patience_seconds: float, **options: Any) -> None:
        self._connections = connections
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
            connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            **self._options,
        )


def succeeded(status: int) -> bool:
    """Tell an answer that is neither a redirect nor an error."""
    return 200 <= status < 300
