"""Generation ids that any replica can read and nobody else: encrypted, with the key's id inside, showing no prompt.

The operator makes the keys and rotates them; what an old key has written stays readable while its file is there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from enum import Enum
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from t2i_service.callers.secret_files import follow_files, read_files
from t2i_service.errors import ExpiredError, UnknownGenerationError
from t2i_service.observing import logs

if TYPE_CHECKING:
    from pathlib import Path

PRIMARY = "primary"
KEY_BYTES = 32
NONCE_BYTES = 12
SIGNATURE_BYTES = 18

log = logs.get("app.keys")


class Anybody(Enum):
    """Who may use an id whoever has made it; a word of its own, which nothing that was forgotten can look like."""

    ANYBODY = "anybody"


ANYBODY = Anybody.ANYBODY


class Reference(msgspec.Struct, array_like=True, frozen=True):
    """What an id stands for; the span is the model's, `owner` is the id of the API key it was made under."""

    model: str
    provider: str
    prediction_id: str
    outputs: int
    trace_id: str
    span_id: str
    request_id: str
    expires: int
    owner: str


class KeysError(Exception):
    """Signing keys or API keys cannot be used; the message says why."""


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Reference).decode


class Keyring:
    """Encrypts with the primary key, decrypts with any."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, str] = {}
        self._keys: dict[str, bytes] = {}
        self._primary = ""
        if folder:
            self._files = read_signing_keys(folder)
            self._take(self._files)
        else:
            self._keys, self._primary = {"0": os.urandom(KEY_BYTES)}, "0"
            log.warning("Generation ids are valid on this pod alone", reason="T2I_SIGNING_KEYS_DIR is not set")

    async def follow(self) -> None:
        """Take over keys as they are rotated."""
        if self._folder:
            await follow_files(self._folder, self._files, self._take_over)

    def id_of(self, reference: Reference) -> str:
        """Return the id, fit for a URL."""
        key_id, nonce = self._primary.encode(), os.urandom(NONCE_BYTES)
        sealed = AESGCM(self._keys[self._primary]).encrypt(nonce, _pack(reference), key_id)
        return _spelled(bytes([len(key_id)]) + key_id + nonce + sealed)

    def reference_of(self, generation_id: str, owner: str | Anybody) -> Reference:
        """Raise `UnknownGenerationError` for what is not ours or not the `owner`'s, `ExpiredError` after its time."""
        key_id, nonce, sealed = _parts(generation_id)
        try:
            reference = _unpack(AESGCM(self._keys[key_id]).decrypt(nonce, sealed, key_id.encode()))
        except (KeyError, ValueError, InvalidTag, msgspec.MsgspecError):
            raise UnknownGenerationError from None
        if owner is not ANYBODY and owner != reference.owner:
            raise UnknownGenerationError
        if reference.expires < time.time():
            raise ExpiredError
        return reference

    def signature(self, generation_id: str, index: int) -> str:
        """Sign the link to one image, so that an `<img>` needs no header."""
        key = hmac.digest(self._keys[_parts(generation_id)[0]], b"image link", "sha256")
        digest = hmac.digest(key, f"{generation_id}/{index}".encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:SIGNATURE_BYTES]).decode()

    def is_signed(self, generation_id: str, index: int, signature: str) -> bool:
        """Compare in constant time."""
        try:
            return hmac.compare_digest(self.signature(generation_id, index).encode(), signature.encode())
        except (KeyError, UnknownGenerationError):
            return False

    def _take_over(self, files: dict[str, str]) -> None:
        try:
            self._take(files)
        except ValueError as error:
            log.warning("Signing keys not taken over", reason=str(error))
            return
        log.info("Signing keys taken over", primary=self._primary, keys=len(self._keys))

    def _take(self, files: dict[str, str]) -> None:
        self._keys, self._primary = _keys(files)


def read_signing_keys(folder: Path) -> dict[str, str]:
    """Return the files of signing keys; raise `KeysError` unless all of them can be used."""
    try:
        files = read_files(folder)
        _keys(files)
    except (OSError, ValueError) as error:
        raise KeysError(f"The signing keys in {folder} cannot be used: {error}") from None
    return files


def _keys(files: dict[str, str]) -> tuple[dict[str, bytes], str]:
    keys = {name: _key(name, text) for name, text in files.items() if name != PRIMARY}
    primary = files.get(PRIMARY, "")
    if primary not in keys:
        raise ValueError(f"the file {PRIMARY!r} names {primary!r}, which is not among {sorted(keys)}")
    return keys, primary


def _key(name: str, text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{name!r} is not the base64 of {KEY_BYTES} bytes")
    return key


def _spelled(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _parts(generation_id: str) -> tuple[str, bytes, bytes]:
    """Read an id as `id_of` has spelled it: in every other spelling it would have links, and rates, of its own."""
    try:
        data = base64.urlsafe_b64decode(generation_id + "=" * (-len(generation_id) % 4))
        if _spelled(data) != generation_id:
            raise UnknownGenerationError
        end = 1 + data[0]
        return data[1:end].decode(), data[end : end + NONCE_BYTES], data[end + NONCE_BYTES :]
    except (ValueError, IndexError):
        raise UnknownGenerationError from None


def digest_of(secret: str) -> bytes:
    """Hash a key, so that comparing two takes the same time whatever their lengths."""
    return hashlib.sha256(secret.encode()).digest()
