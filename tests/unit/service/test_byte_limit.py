"""No more bytes are held than there is room for, and whoever waits comes in order."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AsyncExitStack

import pytest
from aiohttp import web
from t2i_service.errors import NoRoomError
from t2i_service.providers import byte_limit, replicate_client
from t2i_service.providers.byte_limit import ByteLimit
from t2i_service.providers.replicate_client import MAX_IMAGE_BYTES, ReplicateClient


async def test_what_does_not_fit_waits_in_order_and_what_leaves_is_passed_over() -> None:
    limit, inside, leave = ByteLimit(10), list[str](), asyncio.Event()

    async def hold(name: str, size: int) -> None:
        async with limit.held(size):
            inside.append(name)
            await leave.wait()

    tasks = {name: asyncio.ensure_future(hold(name, size)) for name, size in (("a", 6), ("b", 6), ("c", 4), ("d", 99))}
    await asyncio.sleep(0)
    assert inside == ["a"]
    tasks["b"].cancel()
    await asyncio.wait([tasks["b"]])
    await asyncio.sleep(0)
    assert inside == ["a", "c"]
    leave.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert inside == ["a", "c", "d"]
    async with asyncio.timeout(5), limit.held(10):
        pass


async def test_who_finds_no_room_is_told_and_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_limit, "WAIT_SECONDS", 0.05)
    limit = ByteLimit(10)
    async with limit.held(6):
        with pytest.raises(NoRoomError):
            async with limit.held(6):
                pass
    async with asyncio.timeout(5), limit.held(10):
        pass


@pytest.mark.parametrize(
    ("headers", "at_once"),
    [({"content-length": "1000"}, 8), ({}, 4), ({"content-length": str(MAX_IMAGE_BYTES // 2)}, 8)],
    ids=["small", "unsaid", "half"],
)
async def test_as_many_links_are_read_at_once_as_their_size_allows(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], at_once: int
) -> None:
    reading = taken = 0
    enough, sent = asyncio.Event(), asyncio.Event()

    async def followed(client: ReplicateClient, url: str) -> None:
        nonlocal taken
        async with AsyncExitStack() as held:
            await client.download(url, held)
            taken += 1
            await sent.wait()

    async def read(_response: object) -> bytes:
        nonlocal reading
        reading += 1
        await enough.wait()
        return b""

    async def image(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await enough.wait()
        return response

    monkeypatch.setattr(replicate_client, "_image_of", read)
    app = web.Application()
    app.router.add_get("/a.png", image)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = ReplicateClient(url, "token", 16, 16)
    asked = [asyncio.ensure_future(followed(client, f"{url}/a.png")) for _ in range(8)]
    others = [asyncio.ensure_future(client.download(f"{url}/a.png")) for _ in range(2)]
    async with asyncio.timeout(5):
        # Nothing else tells that the others wait.
        while len(client._callers_bytes._waiting) < 8 - at_once or reading < at_once + len(others):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert reading == at_once + len(others)
    enough.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*others)
        while taken < at_once:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.01)
    assert len(client._callers_bytes._waiting) == 8 - at_once
    sent.set()
    await asyncio.gather(*asked)
    assert client._callers_bytes._free == replicate_client.CALLERS_BYTES
    await client.aclose()
    await runner.cleanup()


async def test_an_image_that_comes_in_the_answer_takes_room_until_it_is_sent() -> None:
    client = ReplicateClient("http://nobody", "token", 1, 1)
    url = "data:image/png;base64," + base64.b64encode(b"image").decode()
    async with AsyncExitStack() as held:
        assert await client.download(url, held) == b"image"
        assert client._callers_bytes._free == replicate_client.CALLERS_BYTES - len(url)
    assert client._callers_bytes._free == replicate_client.CALLERS_BYTES
    await client.aclose()
