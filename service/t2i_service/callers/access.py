"""Who may ask for what: one table of routes, keys that are compared in constant time, a rate for each."""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING

from t2i_service.callers.buckets import Bucket
from t2i_service.callers.keyring import KeysError, digest_of
from t2i_service.callers.secret_files import follow_files, read_files
from t2i_service.errors import RateLimitedError, UnauthorizedError
from t2i_service.observing import logs
from t2i_service.observing.privacy import SHORTEST_SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from t2i_service.observing.metrics import Metrics
    from t2i_service.observing.privacy import Privacy

ANONYMOUS = "anonymous"
# All others need one, so that no spelling of a path, and no route that is yet to come, is open by an oversight.
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json", "/health", "/ready", "/info", "/metrics"})
# What Swagger UI loads, and links to images, which carry their own signature.
_OPEN = re.compile(r"/docs/[^/]+|/generations/[^/]+/images/[^/]+")

log = logs.get("app.access")


def needs_key(path: str) -> bool:
    """Whether a path, or the template of a route, is behind the keys."""
    return path not in OPEN_PATHS and not _OPEN.fullmatch(path)


class Access:
    """The keys of one folder; without a folder everybody may ask."""

    def __init__(self, folder: Path | None, requests_per_minute: int, privacy: Privacy, metrics: Metrics) -> None:
        self._folder = folder
        self._per_minute = requests_per_minute
        self._privacy = privacy
        self._requests = metrics.key_requests
        self._digests: dict[str, bytes] = {}
        self._buckets: dict[str | None, Bucket] = {}
        self._files: dict[str, str] = {}
        if folder:
            self._files = read_api_keys(folder)
            self._take(self._files)
        else:
            self._requests.labels(ANONYMOUS)
            log.warning("Everybody who reaches this service may generate", reason="T2I_API_KEYS_DIR is not set")

    @property
    def is_open(self) -> bool:
        """Whether no key is asked for."""
        return self._folder is None

    async def follow(self) -> None:
        """Take over keys as they change."""
        if self._folder:
            await follow_files(self._folder, self._files, self._take)

    def admit(self, path: str, authorization: bytes | None) -> str | None:
        """Return the caller's key id, None where no key is asked for; raise what the caller should be told."""
        if not needs_key(path):
            return None
        return ANONYMOUS if self.is_open else self._authenticate(authorization)

    def count(self, key_id: str) -> None:
        """Count a request that led to a route: what strangers try at an open service is no use of it."""
        self._requests.labels(key_id).inc()

    def take(self, key_id: str | None, count: int = 1) -> None:
        """Take generations from a key's rate; raise `RateLimitedError`, and take none, when they are not all there."""
        if not self._per_minute:
            return
        bucket = self._buckets.get(key_id)
        if bucket is None:
            bucket = self._buckets[key_id] = Bucket(self._per_minute)
        if seconds := bucket.take(count):
            raise RateLimitedError(seconds)

    def put_back(self, key_id: str | None, count: int) -> None:
        """Put back what was taken for generations that have not begun."""
        if bucket := self._buckets.get(key_id):
            bucket.put_back(count)

    def _authenticate(self, authorization: bytes | None) -> str:
        scheme, _, token = (authorization or b"").decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthorizedError("Send your key as `Authorization: Bearer <key>`.")
        presented, found = digest_of(token.strip()), ""
        for key_id, digest in self._digests.items():
            if hmac.compare_digest(presented, digest):
                found = key_id
        if not found:
            raise UnauthorizedError("Unknown API key.")
        return found

    def _take(self, files: dict[str, str]) -> None:
        self._privacy.keep_secret(files.values())
        self._digests = {key_id: digest_of(key) for key_id, key in files.items() if key and _is_sendable(key)}
        if unsendable := sorted(key_id for key_id, key in files.items() if not _is_sendable(key)):
            reason = "they hold a line break, or another character that no header can"
            log.warning("API keys are not taken over", keys=unsendable, reason=reason)
        if beyond := sorted(key_id for key_id in self._digests if not files[key_id].isascii()):
            reason = "they are known only as Latin-1, which not every client sends"
            log.warning("API keys are not ASCII", keys=beyond, reason=reason)
        for key_id in self._digests:
            self._requests.labels(key_id)
        if short := sorted(key_id for key_id, key in files.items() if 0 < len(key) < SHORTEST_SECRET):
            log.warning("API keys are too short to be kept out of logs", keys=short, shortest=SHORTEST_SECRET)
        log.info("API keys taken over", keys=sorted(self._digests))


def _is_sendable(key: str) -> bool:
    return key.isprintable() and all(ord(character) < 256 for character in key)


def read_api_keys(folder: Path) -> dict[str, str]:
    """Return the files of API keys; raise `KeysError` when they cannot be read."""
    try:
        return read_files(folder)
    except (OSError, ValueError) as error:
        raise KeysError(f"The API keys in {folder} cannot be used: {error}") from None
