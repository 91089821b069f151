"""OpenTelemetry's own variables, held to what can be used: its exporter finds out in a thread, and loses all spans."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from pydantic import SecretStr

# What both gRPC and HTTP take; a value may be URL-encoded.
_HEADER = re.compile(r"([\w.-]+)[ \t]*=[ \t]*([ !#-+\--:<-\[\]-~]*)", re.ASCII)


def sendable_headers(headers: SecretStr) -> SecretStr:
    """Hold that each is `name=value`; which one is not is told by its number, since it may be a secret."""
    for number, header in enumerate(headers.get_secret_value().split(","), start=1):
        match = _HEADER.fullmatch(header.strip())
        if header.strip() and not (match and _is_plain(unquote(match[2]))):
            raise ValueError(
                f"header {number} is no `name=value` that can be sent: write name=value,name=value, and URL-encode"
                " commas, semicolons, quotes and backslashes in a value."
            )
    return headers


def readable_attributes(attributes: str) -> str:
    """Hold that each is `key=value`."""
    for attribute in filter(str.strip, attributes.split(",")):
        key, equals, _ = attribute.partition("=")
        if not (key.strip() and equals):
            raise ValueError(f"{attribute.strip()!r} is no `key=value`: write key=value,key=value.")
    return attributes


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
