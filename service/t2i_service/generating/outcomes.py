"""What a prediction's end means: which answer the user gets, which outcome is counted, what it cost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from t2i_service.errors import (
    GenerationCanceledError,
    GenerationFailedError,
    GenerationRefusedError,
    GenerationTimedOutError,
    ServiceError,
)
from t2i_service.observing.telemetry import Outcome
from t2i_service.providers.base import Prediction, Status
from t2i_service.providers.upstream_errors import UpstreamInputError

if TYPE_CHECKING:
    from t2i_service.offer.models_config import Price

# A time-out cancels, and its clock begins before the prediction's: by a little, or as long as the create is throttled.
TIMED_OUT = 0.95
CLEARLY_EARLY = 0.5

# What models on Replicate say when they refuse; a checker that cannot be loaded, or reached, is a failure all the same.
_KIND = r"(?:safety|content|moderation|nsfw)(?: (?:safety|content|moderation))?"
# Content alone is what a delivery network delivers.
_CHECK = (
    r"(?:the |our |its |[a-z]+'s )?"
    r"(?:safety|moderation|nsfw|content (?:safety|moderation|filters?|checks?|checker|polic(?:y|ies)|system))\b"
)
_REFUSAL = re.compile(
    "|".join(
        (
            r"^nsfw(?: content)?\s*(?:[:.!]|$)",
            r"\bnsfw (?:content|images?|prompt|concepts?) (?:was |were |is )?(?:detected|found|blocked|not allowed)\b",
            r"\bcontain(?:s|ed)? (?:nsfw|sensitive|inappropriate|explicit|unsafe) (?:content|material|words?)\b",
            r"\bE005\b",
            r"\bflagged as (?:sensitive|unsafe|inappropriate|nsfw|violating|potentially)\b",
            r"\b(?:content|prompt|image) (?:was |has been )?flagged for\b",
            r"\brequest (?:was |has been )?moderated\b",
            rf"\b(?:flagged|blocked|refused|rejected|filtered) (?:by|due to|because of|as a result of) {_CHECK}",
            rf"\b(?:did not|didn't|does not) pass {_CHECK}",
            rf"\b{_KIND} (?:filter|checker|check|system)(?: was| has been)? (?:triggered|blocked|rejected|refused)\b",
            r"\bviolat(?:e|es|ed|ing) (?:[a-z']+ ){0,3}(?:policy|policies|guidelines|terms of (?:service|use))\b",
            r"\b(?:content|usage|safety) policy violation\b",
            r"\bsensitive content (?:was |has been )?detected\b",
        )
    ),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money, exact."""

    amount: Decimal
    currency: str


def cost_of(price: Price | None, prediction: Prediction | None) -> Cost | None:
    """Return what the provider charges; a failed or cancelled prediction costs the seconds it ran."""
    if price is None or prediction is None:
        return None
    if price.per_second is not None and prediction.predict_seconds is not None:
        return Cost(price.per_second * Decimal(str(prediction.predict_seconds)), price.currency)
    if price.per_image is not None:
        return Cost(price.per_image * len(prediction.outputs), price.currency)
    return None


def error_of(prediction: Prediction, timeout_seconds: float | None) -> ServiceError | None:
    """Return the error a user understands, or None for success; a pod may not know the model, and its time-out."""
    match prediction.status:
        case Status.SUCCEEDED if prediction.outputs:
            return None
        case Status.SUCCEEDED:
            return GenerationFailedError("The prediction succeeded without an image.")
        case Status.CANCELED:
            return _canceled(prediction.total_seconds, timeout_seconds)
        case Status.ABORTED:
            return GenerationTimedOutError("The provider gave the prediction up before it began.")
        case Status.FAILED if _REFUSAL.search(prediction.error):
            return GenerationRefusedError(prediction.error)
        case _:
            return GenerationFailedError(prediction.error or f"The prediction ended as {prediction.status}.")


def _canceled(took: float | None, timeout_seconds: float | None) -> ServiceError:
    """Tell whose doing it was, which the provider does not: a model's time-out ends a prediction as a caller does."""
    if took is not None and timeout_seconds is not None:
        if took >= TIMED_OUT * timeout_seconds:
            return GenerationTimedOutError(f"The prediction was canceled at its time-out of {timeout_seconds:g} s.")
        if took < CLEARLY_EARLY * timeout_seconds:
            return GenerationCanceledError("The prediction was canceled at the provider.")
    return GenerationCanceledError("The prediction was canceled at the provider: by a caller, or by its time-out.")


def outcome_of(error: BaseException | None) -> Outcome:
    """Sort an error into what is counted; a client that leaves or asks for what cannot be is no failure of ours."""
    match error:
        case None:
            return Outcome.SUCCESS
        case GenerationRefusedError() | UpstreamInputError():
            return Outcome.REFUSED
        case GenerationCanceledError():
            return Outcome.CANCELED
        case Exception():
            return Outcome.ERROR
        case _:
            return Outcome.CANCELED
