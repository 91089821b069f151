"""What bytes say about themselves: a provider's word for type and size is not taken."""

from __future__ import annotations

import struct

from t2i_service.providers.base import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_from(data: bytes) -> Image:
    """Raise `ValueError` for anything but a PNG, a JPEG or a WebP."""
    if data.startswith(_PNG) and len(data) >= 24:
        return Image(data, "image/png", *struct.unpack(">II", data[16:24]))
    if data.startswith(b"\xff\xd8"):
        return Image(data, "image/jpeg", *_jpeg_size(data))
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP" and len(data) >= 30:
        return Image(data, "image/webp", *_webp_size(data))
    raise ValueError("not a PNG, a JPEG or a WebP picture")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _JPEG_SIZED:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])
    raise ValueError("a JPEG without a size")


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF
