"""Replicate's HTTP API as it answers, good or bad: every trouble leaves here as one `UpstreamError`.

`httpx` and not the `replicate` package: docs/decisions/0040 says why.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec

from t2i_service import upstream_errors as errors
from t2i_service.providers.http_pools import Pools

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
MAX_IMAGE_BYTES = 32 * 1024 * 1024
OUTPUT_HOST = "replicate.delivery"
CREATE_PATH = "/v1/predictions"
DEFAULT_THROTTLE_SECONDS = 5.0

_RESETS_IN = re.compile(r"resets in ~?(\d+(?:\.\d+)?)\s*s")


class Answer(msgspec.Struct):
    """The fields of a prediction that are used."""

    id: str
    status: str
    output: list[str] | str | None = None
    error: str | None = None
    metrics: dict[str, Any] | None = None
    input: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Answer).decode


class Wire:
    """Connections to the API, and others to the hosts of its outputs; the token goes to the API alone."""

    def __init__(self, base_url: str, token: str, connections: int) -> None:
        timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "text-to-image-service"}
        self._api = Pools(connections, base_url=base_url, headers=headers, timeout=timeout)
        self._files = Pools(connections, timeout=timeout)
        self.address = urlsplit(base_url).hostname or ""

    async def create(self, body: Mapping[str, Any], cancel_after: int) -> Answer:
        """Start a prediction that the server ends by itself after `cancel_after` seconds."""
        headers = {"Cancel-After": f"{cancel_after}s", "Content-Type": "application/json"}
        return _decoded(await self._send("POST", CREATE_PATH, msgspec.json.encode(body), headers))

    async def get(self, prediction_id: str) -> Answer:
        """Ask how a prediction stands."""
        return _decoded(await self._send("GET", f"/v1/predictions/{prediction_id}"))

    async def cancel(self, prediction_id: str) -> Answer:
        """Stop a prediction; one that has ended stays as it is."""
        return _decoded(await self._send("POST", f"/v1/predictions/{prediction_id}/cancel"))

    async def download(self, url: str) -> bytes:
        """Return an output's bytes; only from the provider's hosts, and no more than the cap."""
        if url.startswith("data:"):
            return _from_data_url(url)
        link = self._allowed(url)
        try:
            with self._files.client() as client:
                async with client.stream("GET", link) as response:
                    return await _read_capped(response)
        except httpx.HTTPError as error:
            raise _transport_error(error) from error

    async def aclose(self) -> None:
        """Close all connections."""
        await self._api.aclose()
        await self._files.aclose()

    def _allowed(self, url: str) -> httpx.URL:
        # Read once, by the parser that is asked for it, so that no two disagree on the host.
        try:
            link = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise errors.OutputRefusedError("The provider's link to the image cannot be read.") from error
        theirs = link.host == OUTPUT_HOST or link.host.endswith(f".{OUTPUT_HOST}")
        if link.scheme in ({"https"} if theirs else {"http", "https"}) and (theirs or link.host == self.address):
            return link
        raise errors.OutputRefusedError("The provider's link to the image leads to a host that is not its own.")

    async def _send(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            with self._api.client() as client:
                response = await client.request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise _transport_error(error) from error
        except httpx.InvalidURL as error:
            raise errors.UpstreamAnswerError("The provider's id for the prediction is none.") from error
        if response.is_success:
            return response
        # Only who creates can mend the input, and only there is it known which prompt the provider may be quoting.
        raise _status_error(response, *(_problem(response) if path == CREATE_PATH else ("", "")))


def _decoded(response: httpx.Response) -> Answer:
    try:
        return _decode(response.content)
    except msgspec.MsgspecError as error:
        raise errors.UpstreamAnswerError("The provider's answer is not a prediction.") from error


def _transport_error(error: httpx.HTTPError) -> errors.UpstreamError:
    said = errors.capped(str(error)) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        return errors.UpstreamUnreachableError(f"No connection to the provider: {said}.")
    return errors.UpstreamCutError(f"The provider's answer was cut: {said}.")


_BY_STATUS: dict[int, tuple[type[errors.UpstreamError], str]] = {
    401: (
        errors.UpstreamUnauthorizedError,
        "The provider refuses the service's token: whoever runs the service has to check REPLICATE_API_TOKEN.",
    ),
    402: (
        errors.UpstreamCreditError,
        "The provider's account has no credit left: whoever runs the service has to buy some.",
    ),
    404: (errors.UpstreamNotFoundError, "The provider does not know this model or prediction."),
}


def _status_error(response: httpx.Response, title: str, detail: str) -> errors.UpstreamError:
    status = response.status_code
    if known := _BY_STATUS.get(401 if status == 403 else status):
        return known[0](known[1])
    if status == 429:
        return errors.UpstreamThrottledError(_throttled_for(response))
    if status == 422 and "version" in title.lower():
        return errors.UpstreamNotFoundError(f"The provider does not know this version of the model: {detail}")
    if status in {400, 422}:
        return errors.UpstreamInputError(detail or "The model does not take this input.")
    if status >= 500:
        return errors.UpstreamServerError(f"The provider answered {status} {title}".rstrip() + ".")
    error = errors.UpstreamAnswerError(f"The provider answered {status}, which its API does not have.")
    # 408 is a time-out somewhere on the way, which says nothing about what came of the request.
    error.created_nothing = 400 <= status < 500 and status != 408
    return error


def _problem(response: httpx.Response) -> tuple[str, str]:
    """Return title and detail of an RFC 7807 object; an HTML page of some proxy has neither."""
    try:
        body = msgspec.json.decode(response.content)
    except msgspec.MsgspecError:
        return "", ""
    if not isinstance(body, dict):
        return "", ""
    return errors.capped(str(body.get("title") or "")), errors.capped(str(body.get("detail") or ""))


def _throttled_for(response: httpx.Response) -> float:
    for value in (response.headers.get("retry-after"), response.headers.get("ratelimit-reset")):
        if value and value.isdigit():
            return float(value)
    found = _RESETS_IN.search(_problem(response)[1])
    return float(found[1]) if found else DEFAULT_THROTTLE_SECONDS


async def _read_capped(response: httpx.Response) -> bytes:
    if response.status_code in {403, 404, 410}:
        raise errors.OutputGoneError("The provider deletes images an hour after they are made.")
    if not response.is_success:
        raise errors.UpstreamServerError(f"The provider answered {response.status_code} for the image.")
    data = bytearray()
    async for part in response.aiter_bytes():
        data += part
        if len(data) > MAX_IMAGE_BYTES:
            raise errors.OutputRefusedError(f"The image is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
    return bytes(data)


def _from_data_url(url: str) -> bytes:
    try:
        data = base64.b64decode(url.partition(",")[2], validate=True)
    except ValueError as error:
        raise errors.OutputRefusedError("The provider's data URL cannot be decoded.") from error
    if len(data) > MAX_IMAGE_BYTES:
        raise errors.OutputRefusedError(f"The image is larger than {MAX_IMAGE_BYTES // 2**20} MiB.")
    return data
