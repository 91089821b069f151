"""The sandbox's pictures: exact, repeatable, and visibly different."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from hashlib import blake2b, sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t2i_service.providers.sandbox import Drawing, SandboxProvider
from t2i_service.providers.scenery import draw

from tests.unit.service.running import TASK


def pixels(png: bytes) -> tuple[int, int, list[bytes]]:
    """Decode what `draw` writes: 8-bit RGB, no filter."""
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert (depth, colour) == (8, 2)
    data, at = b"", 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack(">I", png[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        data += body if kind == b"IDAT" else b""
        at += 12 + length
    rows = zlib.decompress(data)
    stride = 3 * width + 1
    assert len(rows) == stride * height
    assert not any(rows[::stride])
    return width, height, [rows[y * stride + 1 : (y + 1) * stride] for y in range(height)]


def differing(one: bytes, other: bytes) -> float:
    width, height, rows = pixels(one)
    count = 0
    for a, b in zip(rows, pixels(other)[2], strict=True):
        count += sum(a[x : x + 3] != b[x : x + 3] for x in range(0, 3 * width, 3))
    return count / (width * height)


def digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=16).digest()


@pytest.mark.parametrize(("width", "height"), [(64, 64), (1024, 1024), (65, 97), (2048, 64), (64, 2048)])
def test_the_size_is_exact(width: int, height: int) -> None:
    assert pixels(draw(digest("any"), width, height))[:2] == (width, height)


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text())
def test_two_digests_differ_in_more_than_a_fifth_of_the_pixels(one: str, other: str) -> None:
    if one != other:
        assert differing(draw(digest(one), 64, 64), draw(digest(other), 64, 64)) > 0.2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"prompt": "a lighthouse at dusk"}, {"prompt": "a lighthouse at dawn"}),
        ({"prompt": "a"}, {"prompt": "b"}),
        ({"prompt": "a boat"}, {"prompt": "a boat", "negative_prompt": "sails"}),
        ({"seed": 7}, {"seed": 8}),
        ({"seed": 0}, {"seed": 2**32 - 1}),
    ],
)
async def test_two_prompts_or_two_seeds_are_two_pictures(one: dict[str, Any], other: dict[str, Any]) -> None:
    sandbox = SandboxProvider()
    tasks = (replace(TASK, **one), replace(TASK, **other))
    pictures = [await sandbox.fetch(task.model.name, Drawing.of(task).prediction, 0) for task in tasks]
    await sandbox.aclose()
    assert differing(pictures[0].data, pictures[1].data) > 0.2


def test_the_bytes_are_the_same_on_every_machine() -> None:
    picture = draw(digest("a lighthouse at dusk"), 320, 200)
    rows = b"".join(pixels(picture)[2])
    assert sha256(rows).hexdigest() == "60b4c475a00c247f8d9038418e437c26c9f575eea8665f22d3851edd189a34ad"
    assert sha256(picture).hexdigest() == "d3bda1b02cdc044c379ec0d932e4b32218280785139e00f0fa89d45c6b3066da"
