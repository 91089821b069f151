"""The sandbox's picture: hills under a sky, as many different ones as there are digests.

Only integer slices, the standard library and a seeded generator are used, so that every replica on every machine draws
the same bytes, and no imaging library has to be shipped. The picture is built column by column, where each column is a
handful of slices of ready-made gradients, and is turned into rows at the end.
"""

from __future__ import annotations

import math
import struct
import zlib
from colorsys import hls_to_rgb
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

RGB = tuple[float, float, float]
Planes = tuple[bytes, bytes, bytes]
COMPRESSION = 2
RANGES = 5


@dataclass(frozen=True, slots=True)
class Layer:
    """A range of hills: where its skyline runs in each column, and its colour from there down."""

    skyline: list[int]
    planes: Planes


def draw(digest: bytes, width: int, height: int) -> bytes:
    """Return the PNG that belongs to this digest, exactly `width` by `height`."""
    dice = Random(digest)  # noqa: S311 - a picture, not a secret
    hue, dusk = dice.random(), dice.random()
    high = hls_to_rgb(hue, 0.18 + 0.32 * dusk, 0.65)
    low = hls_to_rgb((hue + 0.08 + 0.12 * dice.random()) % 1, 0.62 + 0.2 * dusk, 0.8)
    sky = _gradient(high, low, height)
    planes = [bytearray(width * height) for _ in range(3)]
    tones = [_tone(dice, depth, hue, low) for depth in range(RANGES)]
    layers = [
        Layer(_skyline(dice, depth, width, height), _gradient(tone, _mix(tone, low, 0.1 * (5 - depth)), height))
        for depth, tone in enumerate(tones)
    ]
    sun = _sun(dice, hue, sky, width, height)
    for x in range(width):
        start = x * height
        for plane, column in zip(planes, _column(x, sun, sky, layers, height), strict=True):
            plane[start : start + height] = column
    if dusk < 0.5:
        _stars(dice, planes, layers[0].skyline, width, height)
    return _png(planes, width, height)


def _gradient(top: RGB, bottom: RGB, length: int) -> Planes:
    last = max(length - 1, 1)

    def channel(a: float, b: float) -> bytes:
        return bytes(int(255 * (a + (b - a) * y / last)) for y in range(length))

    return channel(top[0], bottom[0]), channel(top[1], bottom[1]), channel(top[2], bottom[2])


def _tone(dice: Random, depth: int, hue: float, haze: RGB) -> RGB:
    """Return a range's colour: the far ones fade into the haze above the horizon."""
    dark = hls_to_rgb((hue + 0.45 + 0.1 * dice.random()) % 1, 0.10 + 0.04 * dice.random(), 0.5)
    return _mix(haze, dark, 0.25 + 0.75 * (depth + 1) / RANGES)


def _skyline(dice: Random, depth: int, width: int, height: int) -> list[int]:
    """Return where the hills begin in each column: nearer ranges are lower and calmer."""
    base = height * (0.42 + 0.13 * depth + 0.05 * dice.random())
    waves = [
        (height * (0.075 - 0.008 * depth) / (n + 1), (n + 1) * (1.2 + 1.6 * dice.random()), 2 * math.pi * dice.random())
        for n in range(4)
    ]
    return [
        min(height, max(0, int(base + sum(a * math.sin(f * 2 * math.pi * x / width + p) for a, f, p in waves))))
        for x in range(width)
    ]


def _mix(a: RGB, b: RGB, share: float) -> RGB:
    return tuple(u + (v - u) * share for u, v in zip(a, b, strict=True))  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Sun:
    """A disc in a glow of rings: each ring's radius, and the sky as seen through it."""

    x: int
    y: int
    rings: list[tuple[int, Planes]]


def _sun(dice: Random, hue: float, sky: Planes, width: int, height: int) -> Sun:
    light = hls_to_rgb((hue + 0.12 * dice.random() + 0.02) % 1, 0.9, 0.95)
    radius = int(min(width, height) * (0.05 + 0.06 * dice.random()))
    rings = []
    for step in range(12, 0, -1):
        share = 0.42 * (1 - step / 13) ** 2
        rings.append((int(radius * (1 + 0.28 * step)), _tint(sky, light, share)))
    rings.append((radius, _tint(sky, light, 0.96)))
    return Sun(int(width * (0.15 + 0.7 * dice.random())), int(height * (0.14 + 0.3 * dice.random())), rings)


def _tint(sky: Planes, light: RGB, share: float) -> Planes:
    r, g, b = (
        plane.translate(bytes(int(value + (255 * part - value) * share) for value in range(256)))
        for plane, part in zip(sky, light, strict=True)
    )
    return r, g, b


def _column(x: int, sun: Sun, sky: Planes, layers: Sequence[Layer], height: int) -> list[bytes]:
    spans: list[tuple[int, int, Planes]] = [(0, height, sky)]
    for radius, planes in sun.rings:
        if abs(x - sun.x) < radius:
            half = math.isqrt(radius * radius - (x - sun.x) ** 2)
            spans.append((max(0, sun.y - half), min(height, sun.y + half), planes))
    columns = []
    for channel in range(3):
        column = bytearray(height)
        for top, bottom, planes in spans:
            column[top:bottom] = planes[channel][top:bottom]
        for layer in layers:
            top = layer.skyline[x]
            column[top:] = layer.planes[channel][: height - top]
        columns.append(bytes(column))
    return columns


def _stars(dice: Random, planes: list[bytearray], horizon: list[int], width: int, height: int) -> None:
    for _ in range(width * height // 6000):
        x, y, glow = int(dice.random() * width), int(dice.random() * height), int(90 + 165 * dice.random())
        if y < horizon[x] * 0.8:
            for plane in planes:
                plane[x * height + y] = max(glow, plane[x * height + y])


def _png(planes: list[bytearray], width: int, height: int) -> bytes:
    rows = bytearray((3 * width + 1) * height)
    stride = 3 * width + 1
    for y in range(height):
        start = y * stride + 1
        for channel, plane in enumerate(planes):
            rows[start + channel : start + 3 * width : 3] = plane[y::height]
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"tEXt", b"Software\0text-to-image sandbox"),
            _chunk(b"IDAT", zlib.compress(bytes(rows), COMPRESSION)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
