"""What can go wrong at a provider: who it concerns, and whether asking again may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_service.errors import MOST_RETRY_AFTER, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TEXT = 2000


def capped(text: str) -> str:
    """Keep the beginning of what an upstream says, to the end of a word: what follows would cost time in every sink."""
    if len(text) <= MAX_TEXT:
        return text
    return text[:MAX_TEXT].rpartition(" ")[0] or text[:MAX_TEXT]


class UpstreamError(ServiceError):
    """The provider could not be used; `reason` is a bounded label, `transient` says whether asking again may help.

    `created_nothing`: whether a create that ended so is known to have made no prediction, which would cost money.
    """

    status = 502
    code = "provider_error"
    title = "The provider of the model failed"
    quotes = True
    reason = "server_error"
    transient = False
    created_nothing = False


class UpstreamUnreachableError(UpstreamError):
    """No connection came about, so nothing can have been created."""

    status = 503
    code = "provider_unreachable"
    title = "The provider of the model cannot be reached"
    quotes = False
    reason = "connect"
    transient = True
    created_nothing = True


class UpstreamCutError(UpstreamError):
    """The connection ended, or time ran out, before the whole answer was there."""

    quotes = False
    reason = "cut"
    transient = True


class UpstreamServerError(UpstreamError):
    """The provider answered 5xx."""

    transient = True


class UpstreamAnswerError(UpstreamError):
    """The provider answered something that is not its API."""

    code = "provider_bad_answer"
    reason = "bad_answer"
    transient = True


class UpstreamWordError(UpstreamAnswerError):
    """The provider's answer has the shape of its API and a word that is none of it: the next one will have it, too."""

    transient = False


class UpstreamThrottledError(UpstreamError):
    """The account's rate limit is used up; `after` says for how many seconds."""

    status = 503
    code = "provider_rate_limited"
    title = "The provider of the model limits the rate"
    quotes = False
    reason = "rate_limited"
    transient = True
    created_nothing = True

    def __init__(self, after: float) -> None:
        told = max(1, round(min(after, MOST_RETRY_AFTER)))
        super().__init__(f"The provider takes no more requests for {after:g} s.", headers={"Retry-After": str(told)})
        self.after = after


class UpstreamUnauthorizedError(UpstreamError):
    """The service's token is refused."""

    code = "provider_unauthorized"
    quotes = False
    reason = "unauthorized"
    created_nothing = True


class UpstreamCreditError(UpstreamError):
    """The account has no money left."""

    code = "provider_no_credit"
    quotes = False
    reason = "no_credit"
    created_nothing = True


class UpstreamNotFoundError(UpstreamError):
    """The model, or the prediction, does not exist there."""

    code = "provider_not_found"
    quotes = False
    reason = "not_found"
    created_nothing = True


class UpstreamVersionError(UpstreamNotFoundError):
    """The model's version does not exist there; what is said of it is the provider's."""

    quotes = True


class UpstreamInputError(UpstreamError):
    """The model does not take these inputs; the user can change them."""

    status = 422
    code = "provider_refused_input"
    title = "The model does not take this input"
    reason = "invalid_input"
    created_nothing = True


class OutputGoneError(UpstreamError):
    """The provider has deleted the picture, an hour after it was made."""

    status = 410
    code = "image_expired"
    title = "The image is no longer there"
    quotes = False
    reason = "output_gone"


class OutputRefusedError(UpstreamError):
    """The picture is too large, lies on a host that is not the provider's, or is no picture."""

    code = "provider_bad_image"
    quotes = False
    reason = "bad_image"


def reasons() -> frozenset[str]:
    """Return every reason that can be counted."""
    return frozenset(kind.reason for kind in _kinds(UpstreamError))


def worth_asking_again() -> frozenset[str]:
    """Return those for which a request is sent again; of a reason that two kinds share, one is enough."""
    return frozenset(kind.reason for kind in _kinds(UpstreamError) if kind.transient)


def _kinds(kind: type[UpstreamError]) -> Iterator[type[UpstreamError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
