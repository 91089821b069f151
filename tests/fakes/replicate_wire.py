"""What Replicate's API says, word by word, and the ways in which it goes wrong."""

from __future__ import annotations

import asyncio
import re
import struct
import time
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send


class Cut(Response):
    """The connection ends in the middle of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
        await send({"type": "http.response.body", "body": b'{"id": "', "more_body": True})
        raise ConnectionResetError("cut on purpose")


def problem(status: int, title: str, detail: str) -> Response:
    """Answer as Replicate does, with an RFC 7807 object."""
    return JSONResponse({"title": title, "detail": detail, "status": status}, status)


def _throttled(seconds: int) -> Response:
    detail = f"Request was throttled. Your rate limit resets in ~{seconds}s."
    headers = {"ratelimit-remaining": "0", "ratelimit-reset": str(seconds)}
    return JSONResponse({"detail": detail}, 429, headers)


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(1024 * 1024)
        # Sent into the void nothing waits, and nobody would hear that the client has left.
        await asyncio.sleep(0)


async def _dripping() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.01)


CREDIT = (
    "You have insufficient credit to run this model. Go to https://replicate.com/account/billing#billing to purchase "
    "credit. Once you purchase credit, please wait a few minutes before trying again."
)
SCHEDULERS = ("DDIM", "DPMSolverMultistep", "HeunDiscrete", "KarrasDPM", "K_EULER_ANCESTRAL", "K_EULER", "PNDM")
FAULTS: dict[str, Callable[[int], Response]] = {
    "401": lambda _: problem(401, "Unauthenticated", "You did not pass a valid authentication token"),
    "402": lambda _: problem(402, "Insufficient credit", CREDIT),
    "404": lambda _: problem(404, "Not found", "Not found"),
    "429": _throttled,
    "429header": lambda seconds: JSONResponse({"detail": "Throttled."}, 429, {"retry-after": f"{seconds}.25"}),
    "429body": lambda seconds: problem(
        429, "Throttled", f"Request was throttled. Your rate limit resets in ~{seconds}s."
    ),
    "500": lambda _: problem(500, "Internal server error", "Something went wrong"),
    "503": lambda _: problem(503, "Service unavailable", "Try again later"),
    "huge": lambda _: problem(422, "Input validation failed", "no such thing as a lighthouse " * 400_000),
    "html": lambda _: HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502),
    "html200": lambda _: HTMLResponse("<html><body>Maintenance</body></html>"),
    "wrong_json": lambda _: JSONResponse({"unexpected": ["shape"]}),
    # Right in every way, and larger than anything that is read whole.
    "vast": lambda _: Response(b'{"id": "vast", "status": "starting"' + b" " * 2**26 + b"}", 201),
    "cut": lambda _: Cut(),
    "drip": lambda _: StreamingResponse(_dripping(), media_type="application/json"),
    "endless": lambda _: StreamingResponse(_endless(), media_type="image/png"),
}

# What comes of a server, a connection or a balancer that is not well, each by chance.
UNWELL = ("500", "cut", "html")


def wrong_input(inputs: dict[str, Any]) -> list[dict[str, str]]:
    """Refuse at the create what SDXL declares in its schema: its choices, and nothing of how wide a picture may be."""
    if inputs.get("scheduler", "K_EULER") in SCHEDULERS:
        return []
    choices = ", ".join(f'"{name}"' for name in SCHEDULERS)
    description = f"input.scheduler must be one of the following: {choices}"
    return [{"type": "enum", "field": "input.scheduler", "description": description}]


def undrawable(inputs: dict[str, Any]) -> str:
    """Return what diffusers says, once the prediction runs, of sides that it cannot draw."""
    width, height = (inputs.get(side, 1024) for side in ("width", "height"))
    even = width % 8 == height % 8 == 0
    return "" if even else f"`height` and `width` have to be divisible by 8 but are {height} and {width}."


def seconds_of(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", duration).groups()  # type: ignore[union-attr]
    return float(number) * {"s": 1, "m": 60, "h": 3600, None: 1}[unit]


def iso(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1e6):06d}Z"


@lru_cache(maxsize=4)
def blank_png(width: int, height: int, at_least: int = 0) -> bytes:
    """Return a valid black PNG, padded to a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" * (1 + (width + 7) // 8)) * height)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    body = chunk(b"IDAT", rows)
    padding = chunk(b"tEXt", b"Comment\0" + b"." * max(0, at_least - len(head) - len(body) - 40))
    return b"\x89PNG\r\n\x1a\n" + head + padding + body + chunk(b"IEND", b"")
