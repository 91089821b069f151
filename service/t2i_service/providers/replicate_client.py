"""Replicate's HTTP API as it answers, good or bad: every trouble leaves here as one `UpstreamError`.

`aiohttp` and not the `replicate` package: docs/decisions/0040 says why.
"""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from yarl import URL

from t2i_service.callers.image_links import MAX_IMAGE_BYTES
from t2i_service.http_client import HttpClient, succeeded
from t2i_service.observing import logs
from t2i_service.providers import upstream_errors as errors
from t2i_service.providers.base import unbounded
from t2i_service.providers.replicate_refusals import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
# Images may come in the answer itself, as data URLs of four characters for three bytes: the largest, or several others.
MAX_ANSWER_BYTES = 2 * MAX_IMAGE_BYTES
OUTPUT_HOST = "replicate.delivery"
PATH = "/v1/predictions"

_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
# What may stand in a link is ASCII that can be seen; servers differ on how much they read.
_LINK = re.compile(r"[!-~]{1,65536}")

log = logs.get("app.replicate")


class PredictionBody(msgspec.Struct):
    """The fields of a prediction that are used."""

    id: str
    status: str
    output: Any = None
    error: str | None = None
    metrics: dict[str, Any] | None = None
    input: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(PredictionBody).decode


class ReplicateClient:
    """Connections to the API, and others to the hosts of its outputs; the token goes to the API alone.

    Who asks how a prediction stands has connections of its own, `for_callers`: however long the provider takes to
    answer, others are created and canceled.
    """

    def __init__(self, base_url: str, token: str, connections: int, for_callers: int) -> None:
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "text-to-image-service"}
        self._api = HttpClient(connections, CONNECT_SECONDS, READ_SECONDS, headers=headers)
        self._asked = HttpClient(for_callers, CONNECT_SECONDS, READ_SECONDS, headers=headers)
        self._files = HttpClient(connections, CONNECT_SECONDS, READ_SECONDS)
        self._base = base_url.rstrip("/")
        self.address = urlsplit(base_url).hostname or ""

    async def create(self, body: Mapping[str, Any], cancel_after: int) -> PredictionBody:
        """Start a prediction that the server ends by itself after `cancel_after` seconds."""
        headers = {"Cancel-After": f"{cancel_after}s", "Content-Type": "application/json"}
        reply = await self._send("POST", PATH, data=msgspec.json.encode(body), headers=headers)
        return _answer(reply, of_create=True)

    async def get(self, prediction_id: str, *, for_caller: bool = False) -> PredictionBody:
        """Ask how a prediction stands."""
        client = self._asked if for_caller else self._api
        return _answer(await self._send("GET", _path_of(prediction_id), client))

    async def cancel(self, prediction_id: str) -> PredictionBody:
        """Stop a prediction; one that has ended stays as it is."""
        return _answer(await self._send("POST", f"{_path_of(prediction_id)}/cancel"))

    async def download(self, url: str, claim: Callable[[int], object] = unbounded) -> bytes:
        """Return an output's bytes; only from the provider's hosts, and no more than the cap.

        `claim` is told before they are read how many it may be; of an error nothing is read, nor claimed.
        """
        if url.startswith("data:"):
            claim(min(len(url), MAX_IMAGE_BYTES))
            return _from_data_url(url)
        link, started = self._allowed(url), time.perf_counter()
        try:
            async with self._files.request("GET", link) as response:
                data = await _image_of(response, claim)
        except aiohttp.ClientError as error:
            raise _transport_error(error, link.raw_host or "") from error
        log.debug("Image fetched", host=link.raw_host, bytes=len(data), duration=_since(started))
        return data

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.aclose()
        await self._asked.aclose()
        await self._files.aclose()

    def _allowed(self, url: str) -> URL:
        # Read once, by the parser that is asked for it, so that no two disagree on the host; sent as it is, since a
        # link may be signed to the letter.
        try:
            link = URL(url if _LINK.fullmatch(url) else "", encoded=True)
            host = (link.raw_host or "").lower()
            host.encode("idna")
        except ValueError as error:
            raise errors.OutputRefusedError("The provider's link to the image cannot be read.") from error
        theirs = host == OUTPUT_HOST or host.endswith(f".{OUTPUT_HOST}")
        if link.scheme in ({"https"} if theirs else {"http", "https"}) and (theirs or host == self.address):
            return link
        raise errors.OutputRefusedError("The provider's link to the image leads to a host that is not its own.")

    async def _send(self, method: str, path: str, client: HttpClient | None = None, **options: Any) -> Reply:
        started = time.perf_counter()
        try:
            url = URL(self._base + path, encoded=True)
            async with (client or self._api).request(method, url, **options) as response:
                content = await _read(response, MAX_ANSWER_BYTES)
        except aiohttp.ClientError as error:
            raise _transport_error(error, self.address) from error
        except UnicodeError as error:
            raise _unreachable(f"no host can be called {self.address}") from error
        log.debug("Provider answered", method=method, path=path, status=response.status, duration=_since(started))
        if content is None:
            raise errors.UpstreamAnswerError(f"The provider's answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB.")
        return Reply(response.status, response.headers, content)


def _path_of(prediction_id: str) -> str:
    if not _ID.fullmatch(prediction_id):
        raise errors.UpstreamWordError("The provider's id for the prediction is none.")
    return f"{PATH}/{prediction_id}"


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 4)


def _answer(reply: Reply, *, of_create: bool = False) -> PredictionBody:
    if not succeeded(reply.status):
        raise refusal(reply, of_create=of_create)
    try:
        return _decode(reply.content)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise errors.UpstreamAnswerError("The provider's answer is not a prediction.") from error


def _transport_error(error: aiohttp.ClientError, host: str) -> errors.UpstreamError:
    """Take none of aiohttp's words but the system's: the others quote links, and what came instead of an answer."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _unreachable(f"no connection to {host} in time")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unreachable(errors.capped(str(error)))
    told = error.strerror if isinstance(error, OSError) else None
    log.warning("Provider's answer cut", cause=f"{type(error).__name__}: {told}" if told else type(error).__name__)
    return errors.UpstreamCutError("The provider's answer was cut.")


def _unreachable(cause: str) -> errors.UpstreamError:
    """Keep the cause for the log: it names hosts and ports, which may be of the inside, and callers are told errors."""
    log.warning("No connection to the provider", cause=cause)
    return errors.UpstreamUnreachableError("No connection to the provider.")


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    """Return the whole content, None as soon as it is larger than that."""
    parts = list[bytes]()
    while part := await response.content.readany():
        parts.append(part)
        most -= len(part)
        if most < 0:
            return None
    return b"".join(parts)


def _size_of(response: aiohttp.ClientResponse) -> int:
    """Return how large it may get: what is not said, or is said of its compressed form, tells nothing."""
    size = None if "content-encoding" in response.headers else response.content_length
    return MAX_IMAGE_BYTES if size is None else min(size, MAX_IMAGE_BYTES)


async def _image_of(response: aiohttp.ClientResponse, claim: Callable[[int], object]) -> bytes:
    if response.status in {403, 404, 410}:
        raise errors.OutputGoneError("The provider deletes images an hour after they are made.")
    if 300 <= response.status < 400:
        # Followed, a link could lead anywhere; asked for again, it leads there still.
        raise errors.OutputRefusedError("The provider's link to the image redirects, and redirects are not followed.")
    if not succeeded(response.status):
        raise errors.UpstreamServerError(f"The provider answered {response.status} for the image.")
    claim(_size_of(response))
    data = await _read(response, MAX_IMAGE_BYTES)
    if data is None:
        raise errors.OutputRefusedError(f"The image is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
    return data


def _from_data_url(url: str) -> bytes:
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
    except ValueError as error:
        raise errors.OutputRefusedError("The provider's data URL cannot be decoded.") from error
    if len(data) > MAX_IMAGE_BYTES:
        raise errors.OutputRefusedError(f"The image is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
    return data
