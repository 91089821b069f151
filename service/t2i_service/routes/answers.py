"""What the routes share: how an answer is written, and that no work goes on for a client who has left."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from fastapi.responses import Response

from t2i_service.providers.base import Provider, is_sandbox

T = TypeVar("T")

GENERATION_ID = "X-Generation-ID"
SANDBOX = "X-Sandbox"
encode = msgspec.json.Encoder().encode


def json_response(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Encode with the fast encoder; nothing is left to guess."""
    return Response(encode(content), status, headers, "application/json")


def drawn_by(provider: Provider) -> dict[str, str]:
    """Return the header that says whether a sandbox draws: a picture, and OpenAI's answer, have no other place."""
    return {SANDBOX: "true" if is_sandbox(provider) else "false"}


async def unless_client_leaves(
    request: Request, work: Coroutine[Any, Any, T], undo: Callable[[T], None] = lambda _: None
) -> T | None:
    """Run `work`, cancelled as soon as nobody waits for its result: Starlette itself would let it run on.

    A result that comes too late to be sent is handed to `undo`.
    """
    task, heard = asyncio.ensure_future(work), False
    gone = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        heard = not gone.done()
        # Listening ends as well at a body that is too large, or late: then this raises what the caller is told.
        return task.result() if heard else gone.result()
    finally:
        gone.cancel()
        if not heard:
            await _end(task, undo)


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Task[T], undo: Callable[[T], None]) -> None:
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled() and not task.exception():
        undo(task.result())
