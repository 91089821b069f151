"""What keeps a resource from being as its spec wants it: each a reason for machines and a sentence for people."""

from collections.abc import Iterable
from typing import TypeAlias

from t2i_operator.known.faults import APPLY_FAILED, DELETE_FAILED, MISSING, READY, ROUTE_READY, Fault
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.errors import transient
from t2i_operator.kube.kinds import DEPLOYMENT, SERVICE, Kind

Reason: TypeAlias = tuple[str, str]

# Requests need these, whatever the spec says; of other objects that are missing the pods tell when it matters to them.
_SERVING = (DEPLOYMENT, SERVICE)


def unplaced(outcome: Outcome) -> Reason | None:
    """Say which objects are not in their place, and what becomes of that."""
    if found := failed(outcome, READY):
        return found
    if outcome.failure:
        errors = (each.error for each in outcome.failures if each.condition == READY)
        return APPLY_FAILED, f"{outcome.failure}; {_ending(errors)}"
    if names := missing(outcome, *_SERVING):
        return MISSING, f"spec.paused keeps what is missing from being made: {names}"
    return None


def refused(outcome: Outcome) -> Reason | None:
    """Say the same, of the way in as well, where trying again helps nobody before a person has done something."""
    final = {each.condition for each in outcome.failures if not transient(each.error)}
    found = unplaced(outcome) if READY in final else None
    return found or (failed(outcome, ROUTE_READY) if ROUTE_READY in final else None)


def failed(outcome: Outcome, condition: str) -> Reason | None:
    """Say which objects that count for a condition could not be written or deleted."""
    failures = outcome.of(APPLY_FAILED, DELETE_FAILED, condition=condition)
    if not failures:
        return None
    return failures[0].reason, f"{joined(failures)}; {_ending(each.error for each in failures if each.error)}"


def _ending(errors: Iterable[Exception]) -> str:
    if any(map(transient, errors)):
        return "it will be retried"
    return "fix that; it is retried from time to time"


def missing(outcome: Outcome, *kinds: Kind) -> str:
    """Name what is missing, of these kinds or of all."""
    return ", ".join(str(each.identity) for each in outcome.of(MISSING) if not kinds or each.identity.kind in kinds)


def stuck(outcome: Outcome, rollout: Rollout) -> Reason | None:
    """Say what holds a rollout up, nearest to its cause first."""
    if found := held_back(rollout):
        return found
    if outcome.trouble is not None:
        return outcome.trouble.reason, outcome.trouble.message
    if rollout.replica_failure:
        return "ReplicaFailure", rollout.replica_failure
    return late(rollout)


def held_back(rollout: Rollout) -> Reason | None:
    """Say how to resume what somebody paused."""
    return ("DeploymentPaused", rollout.paused) if rollout.awaits_resume else None


def late(rollout: Rollout) -> Reason | None:
    """Say that the time for the rollout is over."""
    exceeded = rollout.deadline_exceeded
    return ("ProgressDeadlineExceeded", exceeded) if exceeded and not rollout.complete else None


def overdue(outcome: Outcome, rollout: Rollout) -> Reason | None:
    """Say which pods are not waited for any more: they run, nothing is to be written, and no deadline would end it.

    Those that await a node, as an autoscaler's newest may, are no reason for the others.
    """
    unwritten = READY in outcome.unfinished or outcome.invalid or outcome.failure
    missing = rollout.wanted - rollout.available
    explained = missing <= outcome.awaiting_node if outcome.awaiting_node else stuck(outcome, rollout)
    if not (outcome.overdue and rollout.over) or rollout.complete or unwritten or explained:
        return None
    why = "for ten minutes the others have not been ready and say no reason; see their readiness probe and their logs"
    return outcome.credentials or ("PodsNotReady", f"{rollout.serving}; {why}")


def joined(faults: Iterable[Fault]) -> str:
    """Put the sentences of several objects into one."""
    return "; ".join(fault.message for fault in faults)
