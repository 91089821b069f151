"""Certificate files, tried before they are used: gRPC takes any bytes, connects to nothing, and does not say why.

What is in them stops no start: trouble with traces must not keep a pod from serving.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def check_authorities(file: Path) -> None:
    """Raise `ValueError` unless the file has certificates that can vouch for a server."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except OSError as error:
        raise ValueError(f"the authorities in {file} cannot be used: {_reason(error)}") from None


def check_pair(certificate: Path, key: Path) -> None:
    """Raise `ValueError` unless the files are a PEM certificate and its key, which no password protects."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: "")
    except OSError as error:
        raise ValueError(f"{certificate} and {key} cannot be used together: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    """`ssl.SSLError` is an OSError, with a code of OpenSSL's where others have one of the system's."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "this is not PEM").replace("_", " ").lower()
    return error.strerror or str(error)
