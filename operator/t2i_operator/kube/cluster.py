"""The only module that talks to the API server: plain JSON in, plain JSON out, a time-out on everything."""

import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple

import aiohttp
import msgspec

from t2i_operator import naming
from t2i_operator.kube.answer import TooLongError, read
from t2i_operator.kube.errors import ApiError, NotLeadingError, WatchError, refused, unreachable
from t2i_operator.kube.kinds import GATEWAY, OPTIONAL, Kind, Object
from t2i_operator.kube.messages import Event, Page, decode, read_event

__all__ = ["WRITE_SECONDS", "ApiError", "Cluster", "NotLeadingError", "WatchError"]

READ_SECONDS = 10.0
WRITE_SECONDS = 10.0
PAGE = 50
# Bytes. Of honest objects fifty have two million; of what anybody may label and make as large as etcd takes, seventy.
_LARGEST_PAGE = 2**22
# The server ends each watch after this long, a bookmark just before: by itself it sends but one a minute.
WATCH_SECONDS = 20
# A stream that is silent for longer than it may live is dead, whatever its socket says. What was hidden by it is seen
# within a minute, the longest back-off included.
SILENCE_SECONDS = 30.0
_METADATA_ONLY = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}
_MANAGER = {"fieldManager": naming.FIELD_MANAGER}
_JSON = "application/json"


class Write(NamedTuple):
    """One writing request, but for its body."""

    method: str
    path: str
    content_type: str
    params: Mapping[str, str] = _MANAGER


class Cluster:
    """A client of one API server, by a session of `connection`'s.

    `time_left` says how many seconds a write may take, 0 when none may start.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        time_left: Callable[[], float] = lambda: WRITE_SECONDS,
        observe: Callable[[str, str], None] = lambda verb, code: None,
    ) -> None:
        self._session, self._time_left, self._observe = session, time_left, observe

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        """Read one object; None when there is none."""
        headers = _METADATA_ONLY if metadata_only else {}
        try:
            return await self._json("GET", kind.path(namespace, name), READ_SECONDS, headers=headers)
        except ApiError as error:
            if _is_missing(kind, error):
                return None
            raise

    async def served(self, kind: Kind) -> bool:
        """Tell whether a kind is installed."""
        try:
            found = await self._json("GET", f"/apis/{kind.api_version}", READ_SECONDS)
        except ApiError as error:
            if error.is_not_found:
                return False
            raise
        return any(resource["name"] == kind.plural for resource in found.get("resources", []))

    async def apply(
        self, kind: Kind, body: Object, *, manager: str = naming.FIELD_MANAGER, dry_run: bool = False
    ) -> Object:
        """Server-side apply, taking over fields that others changed."""
        params = {**_params(dry_run=dry_run), "fieldManager": manager, "force": "true"}
        return await self._write(Write("PATCH", _path(kind, body), "application/apply-patch+yaml", params), body)

    async def apply_status(self, kind: Kind, body: Object) -> Object:
        """Server-side apply to the status."""
        path = f"{_path(kind, body)}/status"
        params = {**_MANAGER, "force": "true"}
        return await self._write(Write("PATCH", path, "application/apply-patch+yaml", params), body)

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        """Merge patch; a `metadata.resourceVersion` in it makes it fail rather than overwrite a newer object."""
        return await self._write(Write("PATCH", kind.path(namespace, name), "application/merge-patch+json"), body)

    async def create(self, kind: Kind, body: Object, *, seconds: float = WRITE_SECONDS) -> Object:
        """Make an object; refused with 409 where there is one."""
        return await self._write(Write("POST", kind.path(body["metadata"]["namespace"]), _JSON), body, seconds)

    async def replace(
        self, kind: Kind, body: Object, *, seconds: float = WRITE_SECONDS, dry_run: bool = False
    ) -> Object:
        """Put the whole object; refused with 409 when its resourceVersion is not the newest."""
        return await self._write(Write("PUT", _path(kind, body), _JSON, _params(dry_run=dry_run)), body, seconds)

    async def delete(self, kind: Kind, metadata: Object) -> None:
        """Delete the object that was seen, never one that took its name since or was changed meanwhile."""
        preconditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {"preconditions": preconditions, "propagationPolicy": "Background"}
        try:
            await self._write(Write("DELETE", kind.path(metadata["namespace"], metadata["name"]), _JSON, {}), body)
        except ApiError as error:
            if not _is_missing(kind, error):
                raise

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        """List in pages; the resourceVersion in the last one's metadata is what to watch from.

        What is too long for a page is asked for again in shorter ones: a `continue` says where, and not how many.
        """
        path, limit = kind.path(namespace), PAGE
        params = {"labelSelector": selector}
        while True:
            params["limit"], most = str(limit), _LARGEST_PAGE if limit > 1 else math.inf
            try:
                raw = await self._request("GET", path, 3 * READ_SECONDS, most=most, params=params)
            except TooLongError:
                limit = max(1, limit // 5)
                continue
            page: Page = decode("GET", path, raw, Page)
            yield page
            following = page.metadata.get("continue")
            if not following:
                return
            params["continue"], limit = following, min(PAGE, 2 * limit)

    async def watch(
        self, kind: Kind, namespace: str | None, selector: str, since: str, resumed: Callable[[], None]
    ) -> AsyncIterator[Event]:
        """Stream events until the server ends the watch; raise `ApiError` on silence and a broken connection.

        `WatchError`, one of these, says that the server broke it off. Its 410 stands for whatever only a new list helps
        against: a version too old, or a line that `answer` cannot read.

        `resumed` is called once the server agrees to go on: a quiet stream has its first word half a minute later.
        """
        params = {
            "watch": "true",
            "labelSelector": selector,
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        limit = aiohttp.ClientTimeout(total=None, sock_connect=READ_SECONDS, sock_read=SILENCE_SECONDS)
        answered = False
        try:
            async with self._session.get(kind.path(namespace), params=params, timeout=limit) as response:
                answered = True
                self._observe("watch", str(response.status))
                if response.status >= 400:
                    raise refused(response.status, await response.read(), response.headers)
                resumed()
                async for line in response.content:
                    event = read_event(line)
                    if event.type == "ERROR":
                        raise refused(int(event.decoded().get("code", 0)), bytes(event.object), error=WatchError)
                    yield event
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if not answered:
                self._observe("watch", "none")
            raise unreachable("watch", kind.path(namespace), error) from error

    async def _write(self, write: Write, body: Object, seconds: float = WRITE_SECONDS) -> Object:
        """Write, and once more within the same time when the token was refused, which is a new one by then."""
        ends = time.monotonic() + seconds
        try:
            return await self._send(write, body, seconds)
        except ApiError as error:
            left = ends - time.monotonic()
            if not error.is_unauthorized or left <= 0:
                raise
        return await self._send(write, body, left)

    async def _send(self, write: Write, body: Object, seconds: float) -> Object:
        seconds = min(seconds, self._time_left())
        if seconds <= 0:
            raise NotLeadingError(f"{write.method} {write.path} was not sent: not the leader any more")
        headers = {"Content-Type": write.content_type}
        data = msgspec.json.encode(body)
        return await self._json(write.method, write.path, seconds, headers=headers, params=write.params, data=data)

    async def _json(self, method: str, path: str, seconds: float, **options: Any) -> Object:
        content = await self._request(method, path, seconds, **options)
        decoded: Object = decode(method, path, content)
        return decoded

    async def _request(
        self, method: str, path: str, seconds: float, *, most: float = math.inf, **options: Any
    ) -> bytes:
        code = "none"
        try:
            # To the point: by default it rounds up to a whole second, and a write would outlive the lease.
            limit = aiohttp.ClientTimeout(total=seconds, ceil_threshold=math.inf)
            async with self._session.request(method, path, timeout=limit, **options) as response:
                code = str(response.status)
                content = await read(response, most)
                if response.status >= 400:
                    raise refused(response.status, content, response.headers)
                return content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise unreachable(method, path, error) from error
        finally:
            self._observe(method.lower(), code)


def _is_missing(kind: Kind, error: ApiError) -> bool:
    """Tell whether an object is not there; of a kind that is always served, a bare 404 is but a proxy's."""
    may_be_missing = kind in OPTIONAL or kind == GATEWAY
    return error.is_object_not_found or (error.is_not_found and may_be_missing)


def _params(*, dry_run: bool) -> dict[str, str]:
    return {**_MANAGER, "dryRun": "All"} if dry_run else {**_MANAGER}


def _path(kind: Kind, body: Object) -> str:
    return kind.path(body["metadata"]["namespace"], body["metadata"]["name"])
