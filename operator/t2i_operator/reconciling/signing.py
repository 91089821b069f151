"""The generated keys: made once, kept in a Secret, handed to the builders."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping

import msgspec

PRIMARY = "primary"
_BYTES = 32


def complete(data: Mapping[str, str]) -> dict[str, str]:
    """Return the Secret's data with a usable primary key in it; what is usable already is kept, so this is made once.

    A key of somebody else's making stays: rotation is adding a key and pointing `primary` at it.
    """
    if primary_key(data) is not None:
        return dict(data)
    name, key = f"k{secrets.token_hex(4)}", base64.b64encode(secrets.token_bytes(_BYTES))
    return {**data, name: _wire(key), PRIMARY: _wire(name.encode())}


def primary_key(data: Mapping[str, str]) -> bytes | None:
    """Return the key to sign with; None when `primary` names none of 32 bytes."""
    try:
        name = base64.b64decode(data[PRIMARY]).decode().strip()
        key = base64.b64decode(base64.b64decode(data[name]).strip(), validate=True)
    except (KeyError, ValueError, binascii.Error):
        return None
    return key if len(key) == _BYTES else None


def checksum(data: Mapping[str, str]) -> str:
    """Digest all of it; keyed, because what people add beside our random keys might be guessed."""
    text = b"keys" + msgspec.json.encode(dict(data), order="sorted")
    return hmac.new(primary_key(data) or b"", text, hashlib.sha256).hexdigest()[:16]


def _wire(content: bytes) -> str:
    return base64.b64encode(content).decode()
