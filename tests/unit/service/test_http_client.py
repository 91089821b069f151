"""What aiohttp does by itself and a provider's links do not bear."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from t2i_service.http_client import HttpClient
from t2i_service.providers import replicate_client
from t2i_service.providers.replicate_client import ReplicateClient
from t2i_service.providers.upstream_errors import OutputRefusedError, UpstreamUnreachableError
from yarl import URL

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: close\r\n\r\nx"


async def test_a_name_that_is_not_resolved_costs_no_more_than_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hanging(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hanging)
    client = HttpClient(1, connect_seconds=0.05, patience_seconds=30)
    started = time.monotonic()
    with pytest.raises(aiohttp.ClientConnectorError, match=r"not resolved within 0\.05 s"):
        async with client.request("GET", URL("http://replicate.example/")):
            pass
    assert time.monotonic() - started < 10
    await client.aclose()


async def test_a_host_that_cannot_be_is_not_reached() -> None:
    client = ReplicateClient("http://a..b", "token", 1, 1)
    with pytest.raises(UpstreamUnreachableError, match="No connection to the provider"):
        await client.get("some-id")
    await client.aclose()


@pytest.mark.parametrize(
    ("link", "follows"),
    [
        ("https://replicate.delivery/a.png", True),
        ("https://pbxt.replicate.delivery/a.png", True),
        ("https://Replicate.Delivery/a.png", True),
        ("http://replicate.delivery/a.png", False),
        ("https://notreplicate.delivery/a.png", False),
        ("https://replicate.delivery.example/a.png", False),
        ("https://replicate.delivery@example.com/a.png", False),
        ("https://example.com/replicate.delivery/a.png", False),
    ],
)
def test_a_link_is_followed_to_the_providers_hosts_alone(link: str, *, follows: bool) -> None:
    """Without a request: those hosts are out of a test's reach."""
    client = ReplicateClient("https://api.replicate.com", "token", 1, 1)
    if follows:
        assert client._allowed(link) == URL(link, encoded=True)
    else:
        with pytest.raises(OutputRefusedError, match="a host that is not its own"):
            client._allowed(link)


async def test_a_link_is_sent_to_the_letter() -> None:
    """It may be signed."""
    lines = list[bytes]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append(await reader.readline())
        writer.write(ANSWER)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = ReplicateClient(f"http://127.0.0.1:{port}", "token", 1, 1)
        assert await client.download(f"http://127.0.0.1:{port}/%7Ea/b%2Fc.png?x=%7e&z=%2F%2f&y=[1]") == b"x"
        await client.aclose()
    assert lines == [b"GET /%7Ea/b%2Fc.png?x=%7e&z=%2F%2f&y=[1] HTTP/1.1\r\n"]


async def test_a_link_that_nobody_answers_in_time_is_not_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be signed, and have a prompt's words in it."""
    causes, asked = list[str](), asyncio.Event()
    monkeypatch.setattr(replicate_client, "READ_SECONDS", 0)
    monkeypatch.setattr(replicate_client, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(replicate_client.log, "warning", lambda _, cause: causes.append(cause))

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(keep, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        client = ReplicateClient(f"http://127.0.0.1:{port}", "token", 1, 1)
        first = asyncio.create_task(client.download(f"http://127.0.0.1:{port}/first.png"))
        await asked.wait()
        with pytest.raises(UpstreamUnreachableError):
            await client.download(f"http://127.0.0.1:{port}/zebrafish.png?signature=secret")
        first.cancel()
        await asyncio.wait([first])
        await client.aclose()
    assert causes == ["no connection to 127.0.0.1 in time"]
