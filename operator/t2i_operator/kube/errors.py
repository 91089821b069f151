"""What the API server refused, and whether it is worth asking again."""

from collections.abc import Container, Mapping, Sequence
from http import HTTPStatus

import msgspec

# How the API server begins to tell who else refused, which may be with any status.
_POLICIES = ("admission webhook ", "ValidatingAdmissionPolicy ")
# How etcd and the way to it call an object that will never fit, with 500.
_TOO_LARGE = ("request is too large", "larger than max")
# How server-side apply calls a value of a wrong type, and a quantity that is none, with 500.
_WRONG_TYPES = ("failed to create typed patch object", "unable to convert unstructured object")
# Not there, in time, yet or any more: namespace and kind come and go, tokens and versions grow old.
_PASSING = frozenset({0, 401, 404, 408, 409, 410, 429})
# No answer, too many requests, or nobody there: whatever is asked for next would fare alike.
_OVERALL = frozenset({0, 429, 503})
# The API server's own word, with 504, for what we say of an answer that did not come; a proxy has none.
_GATEWAY_TIMEOUT, _LATE = 504, "Timeout"
# The API server's own word, with 404, for an object that is not there.
_NOT_FOUND = "NotFound"
_NO_HEADERS: Mapping[str, str] = {}
# A Retry-After of more would have a resource wait for a server that has long been well again.
_MOST_PATIENCE_SECONDS = 30.0


class NoClusterError(Exception):
    """Neither a kubeconfig nor a pod's ServiceAccount says where the API server is."""


class ApiError(Exception):
    """What the API server refused, in its own words; `status` 0: it did not answer; `fields`: those it complains of."""

    def __init__(
        self, status: int, reason: str, message: str, *, retry_after: float = 0.0, fields: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.retry_after = status, reason, message, retry_after
        self.fields = sorted(set(fields))

    def refuses_only(self, fields: Container[str]) -> bool:
        """Tell whether the API server complains of some of these fields and of nothing else."""
        return bool(self.fields) and all(field in fields for field in self.fields)

    @property
    def is_unauthorized(self) -> bool:
        """401: the token was refused."""
        return self.status == HTTPStatus.UNAUTHORIZED

    @property
    def is_forbidden(self) -> bool:
        """403: there is no right to it, or a policy or a quota denies it."""
        return self.status == HTTPStatus.FORBIDDEN

    @property
    def is_not_found(self) -> bool:
        """404: there is no such object, or no such kind."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def is_object_not_found(self) -> bool:
        """404 in the API server's own words: there is no such object; a proxy's 404, or an unknown path's, has none."""
        return self.is_not_found and self.reason == _NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """409: there is one already, or it is not the one or the version that was seen."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def is_gone(self) -> bool:
        """410: the version to watch from is too old."""
        return self.status == HTTPStatus.GONE

    @property
    def is_invalid(self) -> bool:
        """422: the object cannot be stored as it is."""
        return self.status == HTTPStatus.UNPROCESSABLE_ENTITY

    @property
    def refuses_content(self) -> bool:
        """Tell whether what was sent is wrong in itself, and not merely unwanted by a policy of the cluster's.

        Server-side apply answers a value of a wrong type with 500.
        """
        if any(words in self.message for words in _POLICIES):
            return False
        return self.status in (400, 422) or any(words in self.message for words in _WRONG_TYPES)

    @property
    def server_unavailable(self) -> bool:
        """Tell whether the API server as a whole is in trouble, so that nothing more is to be asked of it for now.

        A webhook or a policy that denies an object may do so with the same statuses, and means that object. So does
        an Internal Error (500), which is how the API server tells of a webhook that it could not call.
        """
        return self.status in _OVERALL and not any(words in self.message for words in _POLICIES)

    @property
    def timed_out(self) -> bool:
        """Tell whether the time for an answer was over, ours or the API server's.

        It may be in trouble as a whole, or wait for a webhook of this one kind's that hangs: a webhook has ten seconds
        by default, as long as we wait, and may have thirty.
        """
        return self.status == _GATEWAY_TIMEOUT or self.reason == _LATE

    @property
    def transient(self) -> bool:
        """Tell whether the same request may well succeed soon, without a person's doing."""
        final = self.refuses_content or any(words in self.message for words in (*_POLICIES, *_TOO_LARGE))
        return not final and (self.status in _PASSING or self.status >= 500)


class WatchError(ApiError):
    """The ERROR event by which the API server ends a watch that it had agreed to."""


class NotLeadingError(Exception):
    """A write was asked for after the renew deadline of the lease."""


def transient(error: Exception) -> bool:
    """Tell whether an error may end by itself; a bug does not."""
    return isinstance(error, ApiError) and error.transient


def refused(
    status: int, content: bytes, headers: Mapping[str, str] = _NO_HEADERS, *, error: type[ApiError] = ApiError
) -> ApiError:
    """Read an answer that is a refusal, and make such an error of it."""
    wait = headers.get("Retry-After", "")
    patience = min(float(wait), _MOST_PATIENCE_SECONDS) if wait.isdecimal() else 0.0
    try:
        body = msgspec.json.decode(content)
        reason, message = body.get("reason") or "Unknown", body.get("message") or f"HTTP {status}"
        fields = [cause.get("field") or "" for cause in (body.get("details") or {}).get("causes") or ()]
    except (msgspec.DecodeError, AttributeError, TypeError):
        reason, message = "Unknown", content[:200].decode(errors="replace") or f"HTTP {status}"
        fields = []
    return error(status, reason, message, retry_after=patience, fields=fields)


def unreachable(method: str, path: str, error: BaseException) -> ApiError:
    """Say that there was no answer, or none that can be read."""
    late = isinstance(error, TimeoutError)
    what = "no answer in time" if late else str(error) or repr(error)
    return ApiError(0, _LATE if late else "Unreachable", f"{method} {path}: {what}")
