"""What can go wrong, once: each error carries its status, its stable code and a sentence for the person who asked.

The routes raise, `web/problems.py` writes the answer. A code is part of the API: programs branch on it.
"""

from __future__ import annotations

# nginx's number for an answer that nobody was there to take; HTTP has none.
CLIENT_CLOSED_REQUEST = 499
# Seconds that every client waits: OpenAI's older ones pass over what is more than a minute, and the newer ones do not
# come again after more than two (MAX_RETRY_AFTER_DELAY).
MOST_RETRY_AFTER = 60.0


class ServiceError(Exception):
    """An answer other than success, with all that its problem document needs.

    `quotes`: whether its detail may hold words of an upstream, which may be those of a prompt.
    """

    status = 500
    code = "internal_error"
    title = "Internal error"
    quotes = False

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None, **members: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = headers or {}
        self.members = members


class InvalidInputError(ServiceError):
    """The request asks for what cannot be; `errors` names each field and what is allowed, `more` are not named."""

    status = 422
    code = "invalid_input"
    title = "The request is not valid"

    def __init__(self, errors: list[dict[str, object]], more: int = 0) -> None:
        told = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
        # In front, where no cut of a long sentence reaches it.
        super().__init__(f"{more} more errors than these {len(errors)}: {told}" if more else told, errors=errors)


class UnknownModelError(ServiceError):
    """No model has that name."""

    status = 404
    code = "unknown_model"
    title = "There is no such model"

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"The models of this service are: {', '.join(names)}.", models=names)


class NotAcceptableError(ServiceError):
    """Several images do not fit into one `image/png`."""

    status = 406
    code = "not_acceptable"
    title = "One image at a time can be sent as image/png"


class GenerationFailedError(ServiceError):
    """The provider ran the prediction and it failed."""

    status = 502
    code = "generation_failed"
    title = "The model failed to make the image"
    quotes = True


class GenerationRefusedError(ServiceError):
    """The provider's safety check refused the prompt or the picture; asking the same again will not help."""

    status = 422
    code = "generation_refused"
    title = "The model refused this prompt"
    quotes = True


class GenerationCanceledError(ServiceError):
    """Somebody else cancelled the prediction."""

    status = 409
    code = "generation_canceled"
    title = "The generation was canceled"


class GenerationTimedOutError(ServiceError):
    """The model's time-out passed."""

    status = 504
    code = "generation_timeout"
    title = "The model did not answer in time"


class OverloadedError(ServiceError):
    """No slot now; `Retry-After` says when to come again."""

    status = 503
    code = "overloaded"
    title = "The service has no capacity left"


class BreakerOpenError(ServiceError):
    """The provider has failed so often that it is left alone for a while."""

    status = 503
    code = "provider_unavailable"
    title = "The provider of the model keeps failing"


class NotReadyError(ServiceError):
    """Whatever would be asked of this pod would fail."""

    status = 503
    code = "not_ready"
    title = "The pod is not ready"


class StoppingError(ServiceError):
    """The pod ends and its grace period is over."""

    status = 503
    code = "stopping"
    title = "The service is stopping"

    def __init__(self) -> None:
        super().__init__("The pod that served this request is stopping, and has no time left for the generation.")


class UnauthorizedError(ServiceError):
    """No key, or one that is not known."""

    status = 401
    code = "unauthorized"
    title = "An API key is needed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class RateLimitedError(ServiceError):
    """The key has used up its rate on this pod."""

    status = 429
    code = "rate_limited"
    title = "Too many requests with this key"

    def __init__(self, seconds: float) -> None:
        after = max(1, round(seconds + 0.5))
        super().__init__(f"Try again in {after} s.", headers={"Retry-After": str(after)})


class LinkRateLimitedError(RateLimitedError):
    """The link has been followed too often on this pod, or too much of its generation waits to be sent there."""

    title = "Too many requests for this image"


class UnknownGenerationError(ServiceError):
    """The id is not one of ours, or not one of the caller's: both look the same."""

    status = 404
    code = "unknown_generation"
    title = "There is no such generation"

    def __init__(self) -> None:
        super().__init__("The id is wrong, was made by another service, or belongs to another key.")


class ProviderNotConfiguredError(ServiceError):
    """The generation was made at a provider that the pod that was asked has no access to."""

    status = 503
    code = "provider_not_configured"
    title = "The provider of this generation is not configured"

    def __init__(self, provider: str) -> None:
        super().__init__(
            f"This pod is not configured for {provider}, where the generation was made. Another pod may be while a"
            " rollout runs: ask again. Else whoever runs the service has to give it the provider's key.",
            headers={"Retry-After": "5"},
        )


class ExpiredError(ServiceError):
    """The provider deletes what it made after an hour, and so do the ids."""

    status = 410
    code = "generation_expired"
    title = "The generation is no longer there"

    def __init__(self) -> None:
        super().__init__("Generations and their images are kept for an hour.")


class UnknownImageError(ServiceError):
    """The generation has no such image."""

    status = 404
    code = "unknown_image"
    title = "There is no such image"


class NotCancellableError(ServiceError):
    """Nothing runs that could be stopped."""

    status = 409
    code = "not_cancellable"
    title = "This generation cannot be canceled"


class BadSignatureError(ServiceError):
    """The link to the image was changed or cut."""

    status = 403
    code = "bad_signature"
    title = "The link is not valid"
