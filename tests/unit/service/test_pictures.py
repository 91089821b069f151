"""Type and size are read from the bytes."""

from __future__ import annotations

import base64

import pytest
from t2i_service.providers.pictures import image_from

from tests.fakes.replicate_wire import blank_png

JPEG_3X2 = base64.b64decode("/9j/4AAQSkZJRgABAQAAAQABAAD/wAARCAACAAMDASIAAhEBAxEB/9k=")
WEBP_LOSSLESS_5X4 = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + (4 | 3 << 14).to_bytes(4, "little") + b"\0" * 8
WEBP_EXTENDED_7X6 = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\x06\0\0" + b"\x05\0\0"


@pytest.mark.parametrize(
    ("data", "content_type", "size"),
    [
        (blank_png(30, 20), "image/png", (30, 20)),
        (JPEG_3X2, "image/jpeg", (3, 2)),
        (WEBP_LOSSLESS_5X4, "image/webp", (5, 4)),
        (WEBP_EXTENDED_7X6, "image/webp", (7, 6)),
    ],
)
def test_a_picture_tells_what_it_is(data: bytes, content_type: str, size: tuple[int, int]) -> None:
    image = image_from(data)
    assert (image.content_type, (image.width, image.height)) == (content_type, size)


@pytest.mark.parametrize("data", [b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x04ab", b"RIFF1234WEBP"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"picture|size"):
        image_from(data)
