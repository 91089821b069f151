"""When a resource is looked at again though no event tells of it, and by which of several errors it is tried again."""

import math
import time
from collections.abc import Iterator

from t2i_operator import spec
from t2i_operator.known import references
from t2i_operator.known.faults import INVALID, MISSING, REPLACING
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.errors import transient
from t2i_operator.kube.kinds import FIXED
from t2i_operator.settings import Settings

_WAIT_SECONDS = 2.0
_SWITCH_SECONDS = 5.0
_RECHECK_SECONDS = 30.0


def requeue_after(outcome: Outcome, settings: Settings) -> float:
    """Return in how many seconds to look again after a pass in which nothing failed."""
    return min(_next_look(outcome, settings), _given_up_in(outcome))


def is_polled(resource: spec.TextToImageService | None) -> bool:
    """Tell whether a resource depends on what is not watched."""
    return resource is not None and bool(references.sources(resource) or resource.spec.http_route)


def urgency(error: Exception) -> tuple[bool, bool, float]:
    """Raise a bug before all else, then what is tried again soonest, and of that what asks for the longest wait."""
    return not isinstance(error, ApiError), transient(error), error.retry_after if isinstance(error, ApiError) else 0.0


def _next_look(outcome: Outcome, settings: Settings) -> float:
    if outcome.waiting:
        return _WAIT_SECONDS
    return max(0.0, min(_looks(outcome, settings)))


def _looks(outcome: Outcome, settings: Settings) -> Iterator[float]:
    yield settings.resync_seconds
    yield _trouble_turns_at(outcome) - time.time()
    if is_polled(outcome.resource):
        yield settings.poll_seconds
    # When what goes first is not ours no event tells that it is gone, as it does of what is made anew itself.
    replaced = any(fault.reason == REPLACING and fault.identity.kind not in FIXED for fault in outcome.faults)
    if replaced or outcome.old_routes:
        yield _SWITCH_SECONDS
    # Of what is missing an event tells when it is back, and of another spec as well.
    faulty = any(fault.reason not in (MISSING, INVALID) for fault in outcome.faults)
    if outcome.unwatched or outcome.awaits_rollout or faulty:
        yield _RECHECK_SECONDS


def _trouble_turns_at(outcome: Outcome) -> float:
    """Return the Unix time at which something else is to be said of a pod though no event tells of it."""
    if outcome.trouble is None:
        return math.inf
    return outcome.trouble.awaited_until if outcome.awaiting_node else outcome.trouble.until


def _given_up_in(outcome: Outcome) -> float:
    """Return the seconds until pods that are not ready are not waited for any more, of which no event tells."""
    if outcome.rollout is None or outcome.overdue:
        return math.inf
    return max(0.0, outcome.rollout.given_up_at - time.time())
