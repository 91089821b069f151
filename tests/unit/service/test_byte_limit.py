"""No more bytes are held than there is room for, and whoever waits comes in order."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, NamedTuple

import pytest
from aiohttp import web
from t2i_service.callers.byte_limit import ByteLimit, NoRoomError, Room
from t2i_service.callers.image_links import MAX_IMAGE_BYTES
from t2i_service.observing.metrics import Metrics
from t2i_service.providers.base import Prediction, Status
from t2i_service.providers.replicate import ReplicateProvider
from t2i_service.providers.replicate_client import ReplicateClient
from t2i_service.providers.upstream_errors import OutputRefusedError, UpstreamError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_what_does_not_fit_waits_in_order_and_what_leaves_is_passed_over() -> None:
    limit, inside, leave = ByteLimit(10), list[str](), asyncio.Event()

    async def hold(name: str, size: int) -> None:
        room = Room(limit)
        try:
            await room.wait(size)
            inside.append(name)
            await leave.wait()
        finally:
            room.take(0)

    tasks = {name: asyncio.ensure_future(hold(name, size)) for name, size in (("a", 6), ("b", 6), ("c", 4), ("d", 10))}
    await asyncio.sleep(0)
    assert inside == ["a"]
    with pytest.raises(NoRoomError):
        Room(limit).take(1)  # which is free, and who waits comes first
    tasks["b"].cancel()
    await asyncio.wait([tasks["b"]])
    await asyncio.sleep(0)
    assert inside == ["a", "c"]
    leave.set()
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert inside == ["a", "c", "d"]
    Room(limit).take(10)


async def test_who_leaves_as_there_is_room_takes_none() -> None:
    small, large = ByteLimit(6), ByteLimit(10)
    first, second = Room(small, large), Room(small, large)
    first.take(6)
    waiting = asyncio.ensure_future(second.wait(6))
    await asyncio.sleep(0)
    first.take(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert second.waits_for is small
    first.take(6)


async def test_who_waits_for_more_holds_nothing_meanwhile() -> None:
    limit = ByteLimit(10)
    first, second = Room(limit), Room(limit)
    for room in (first, second):
        room.take(4)
    waiting = asyncio.ensure_future(first.wait(10))
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
        await second.wait(0)
        await waiting


async def test_what_finds_no_room_in_one_limit_takes_none_in_the_other() -> None:
    own, all_of_us = ByteLimit(10), ByteLimit(6)
    room = Room(own, all_of_us)
    with pytest.raises(NoRoomError):
        room.take(8)
    Room(own).take(10)
    Room(all_of_us).take(6)


class Answer(NamedTuple):
    """How the host of an image answers."""

    headers: dict[str, str]
    status: int = 200


@pytest.fixture
async def claims() -> AsyncIterator[tuple[ReplicateClient, str, list[Answer]]]:
    """Yield a client, the link to an image of a thousand bytes, and the answers it comes with, one after the other."""
    answers = list[Answer]()

    async def image(request: web.Request) -> web.StreamResponse:
        answer = answers.pop(0)
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        await response.write(bytes(1000))
        return response

    app = web.Application()
    app.router.add_get("/a.png", image)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    client = ReplicateClient(url, "token", 16, 16)
    yield client, f"{url}/a.png", answers
    await client.aclose()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("headers", "size"), [({"content-length": "1000"}, 1000), ({}, MAX_IMAGE_BYTES)], ids=["said", "unsaid"]
)
async def test_room_is_claimed_before_an_image_is_read(
    claims: tuple[ReplicateClient, str, list[Answer]], headers: dict[str, str], size: int
) -> None:
    client, link, answers = claims
    answers.append(Answer(headers))
    claimed = list[int]()
    assert await client.download(link, claimed.append) == bytes(1000)
    assert claimed == [size]


@pytest.mark.parametrize("headers", [{"content-length": "1000"}, {}], ids=["said", "unsaid"])
@pytest.mark.parametrize("status", [302, 404, 503])
async def test_no_room_is_claimed_for_an_error(
    claims: tuple[ReplicateClient, str, list[Answer]], headers: dict[str, str], status: int
) -> None:
    client, link, answers = claims
    answers.append(Answer(headers, status))
    claimed = list[int]()
    with pytest.raises(UpstreamError):
        await client.download(link, claimed.append)
    assert not claimed


async def test_an_error_leaves_the_room_that_was_waited_for(
    claims: tuple[ReplicateClient, str, list[Answer]],
) -> None:
    client, link, answers = claims
    answers += [Answer({"content-length": "1000"}, 503), Answer({"content-length": "1000"})]
    limit = ByteLimit(1500)
    room = Room(limit)
    await room.wait(1500)
    left = list[int]()

    def claim(size: int) -> None:
        left.append(limit._free)
        room.take(size)

    provider = ReplicateProvider(client, Metrics("1", "c"))
    with pytest.raises(OutputRefusedError):  # a thousand zeros are no picture
        await provider.fetch("sdxl", Prediction("p", Status.SUCCEEDED, outputs=(link,)), 0, claim)
    assert not answers
    assert left == [0], "the retry finds all of it held"


async def test_an_image_without_room_is_no_error_of_the_provider(
    claims: tuple[ReplicateClient, str, list[Answer]],
) -> None:
    client, link, answers = claims
    answers += [Answer({}), Answer({})]
    provider = ReplicateProvider(client, Metrics("1", "c"))
    with pytest.raises(NoRoomError):
        await provider.fetch("sdxl", Prediction("p", Status.SUCCEEDED, outputs=(link,)), 0, Room(ByteLimit(1)).take)
    assert len(answers) == 1, "who has to wait does not ask at once again"


async def test_an_image_that_comes_in_the_answer_is_claimed_before_it_is_decoded() -> None:
    client = ReplicateClient("http://nobody", "token", 1, 1)
    url = "data:image/png;base64," + base64.b64encode(b"image").decode()
    claimed = list[int]()
    assert await client.download(url, claimed.append) == b"image"
    assert claimed == [len(url)]
    with pytest.raises(NoRoomError):
        await client.download(f"{url}!", Room(ByteLimit(1)).take)
    await client.aclose()
