"""OpenTelemetry's own variables, held to what can be used: one header that cannot be sent would cost every span."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from t2i_service.observing import logs

# Exporters are given them as they can be used, and would read these beside; LangTrace's would send them along to it.
_HEADERS = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
# What both gRPC and HTTP take; a value may be URL-encoded.
_HEADER = re.compile(r"([\w.-]+)[ \t]*=[ \t]*([ !#-+\--:<-\[\]-~]*)", re.ASCII)
_NAME = re.compile(r"([\w.-]+)[ \t]*=", re.ASCII)

log = logs.get("app.tracing")


def clear_environment() -> None:
    """Take away what exporters are not to read, before their threads begin: one would stumble over what another takes.

    OpenTelemetry says that what is set to nothing is not set; its exporter for gRPC fails on it.
    """
    for name, value in list(os.environ.items()):
        if name in _HEADERS or (name.startswith("OTEL_") and not value.strip()):
            del os.environ[name]


def sendable_headers(headers: str) -> str:
    """Return those that are `name=value` and can be sent; of the others a warning tells the name, never the value."""
    kept, left_out = [], []
    for number, header in enumerate(map(str.strip, headers.split(",")), start=1):
        match, name = _HEADER.fullmatch(header), _NAME.match(header)
        if match and _is_plain(unquote(match[2])):
            kept.append(header)
        elif header:
            # What has no name may be the rest of a secret.
            left_out.append(name[1] if name else f"number {number}")
    if left_out:
        advice = "write name=value,name=value, and URL-encode commas, semicolons, quotes and backslashes in a value"
        log.warning("Headers that cannot be sent are left out of what brings spans", headers=left_out, advice=advice)
    return ",".join(kept)


def readable_attributes(attributes: str) -> str:
    """Return those that are `key=value`; a warning tells the others."""
    kept: list[str] = []
    left_out: list[str] = []
    for attribute in filter(None, map(str.strip, attributes.split(","))):
        key, equals, _ = attribute.partition("=")
        (kept if key.strip() and equals else left_out).append(attribute)
    if left_out:
        advice = "write key=value,key=value in OTEL_RESOURCE_ATTRIBUTES"
        log.warning("Attributes that cannot be read are left out of spans", attributes=left_out, advice=advice)
    return ",".join(kept)


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
