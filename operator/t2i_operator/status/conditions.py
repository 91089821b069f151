"""The truth table: from an outcome to conditions, each with a reason and a sentence that tells what to do."""

from collections.abc import Iterable
from typing import NamedTuple

from t2i_operator.builders.pod_disruption_budget import fewest
from t2i_operator.known.faults import CONFLICT, CONTESTED, READY, ROUTE_READY
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.kinds import Object
from t2i_operator.status import reasons
from t2i_operator.status.monitored import monitored

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
NOT_VISIBLE, SETTLED = "NotVisible", "Settled"


class Condition(NamedTuple):
    """One condition, without the times that the status adds."""

    type: str
    status: str
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        """Whether the status is True; Unknown does not hold."""
        return self.status == TRUE


def conditions(outcome: Outcome, stored: Iterable[Object] = ()) -> list[Condition]:
    """Return every condition of the resource, in the order in which a person reads them.

    `stored` is what was last said; of what is `in_grace` it is said again.
    """
    rollout = outcome.rollout or Rollout()
    present = outcome.rollout is not None
    accepted = _accepted(outcome)
    credentials = _told(_credentials(outcome), outcome, stored)
    available = _available(outcome, rollout, present)
    progressing = _progressing(outcome, rollout, present)
    stays = _stays_ready(outcome, rollout, stored)
    ready = _ready(rollout, stays, accepted, credentials, progressing, available)
    route = _told(_route(outcome), outcome, stored)
    monitoring = [_told(Condition(name, *found), outcome, stored) for name, found in monitored(outcome).items()]
    stalled = _stalled(outcome, rollout, accepted, ready)
    return [
        ready,
        accepted,
        credentials,
        available,
        progressing,
        _reconciling(outcome, ready, credentials, stalled, stored),
        stalled,
        route,
        *monitoring,
        _monitored(monitoring),
    ]


def was_ready(stored: Iterable[Object], generation: int) -> bool:
    """Tell whether this very spec was said to be Ready."""
    ready = ("Ready", TRUE, generation)
    return any((each["type"], each["status"], each.get("observedGeneration")) == ready for each in stored)


def _accepted(outcome: Outcome) -> Condition:
    if outcome.invalid:
        return Condition("Accepted", FALSE, "InvalidSpec", outcome.invalid)
    if conflicts := outcome.of(CONFLICT):
        return Condition("Accepted", FALSE, CONFLICT, reasons.joined(conflicts))
    return Condition("Accepted", TRUE, "Accepted", "the spec is valid")


def _credentials(outcome: Outcome) -> Condition:
    if outcome.credentials:
        return Condition("CredentialsReady", FALSE, *outcome.credentials)
    if outcome.resource is None:
        return Condition("CredentialsReady", UNKNOWN, "InvalidSpec", "the spec cannot be read")
    return Condition("CredentialsReady", TRUE, "CredentialsReady", "all keys that are needed are there")


def _available(outcome: Outcome, rollout: Rollout, present: bool) -> Condition:
    """Count pods: the Deployment's own word is False as soon as one is away, since it lets none be in a rollout."""
    if not present:
        return Condition("Available", FALSE, "MinimumReplicasUnavailable", "there is no Deployment")
    if rollout.available >= fewest(outcome.resource, rollout.wanted):
        return Condition("Available", TRUE, "MinimumReplicasAvailable", rollout.serving)
    return Condition("Available", FALSE, "MinimumReplicasUnavailable", rollout.serving)


def _progressing(outcome: Outcome, rollout: Rollout, present: bool) -> Condition:
    if unplaced := reasons.unplaced(outcome):
        return Condition("Progressing", FALSE, *unplaced)
    if present and rollout.complete:
        return Condition("Progressing", TRUE, "RolloutComplete", "all pods are of the newest template and ready")
    if not present and (outcome.invalid or outcome.of(CONFLICT)):
        return Condition("Progressing", FALSE, "NotAccepted", "nothing is rolled out until the resource is accepted")
    if stuck := reasons.stuck(outcome, rollout):
        return Condition("Progressing", FALSE, *stuck)
    return Condition("Progressing", TRUE, "RollingOut", outcome.waiting or outcome.awaits_rollout or _numbers(rollout))


def _numbers(rollout: Rollout) -> str:
    return f"{rollout.updated} of {rollout.wanted} pods are of the newest template, {rollout.available} pods serve"


def _stays_ready(outcome: Outcome, rollout: Rollout, stored: Iterable[Object]) -> bool:
    """Tell whether only pods are away or asked for, by a drain or an autoscaler, since this very spec was Ready.

    Until the Deployment's controller has seen what somebody else wrote, its numbers are taken for what they were.
    """
    wrote = outcome.created or outcome.updated or outcome.repaired
    only_pods = rollout.replicas == rollout.updated if rollout.observed else not wrote
    return only_pods and was_ready(stored, outcome.generation)


def _ready(rollout: Rollout, stays: bool, *parts: Condition) -> Condition:
    """Repeat the first part that does not hold: a stuck rollout comes before the missing pods that it causes."""
    first = next((part for part in parts if not part.holds), None)
    if first is not None:
        return Condition("Ready", FALSE, first.reason, first.message)
    if rollout.complete:
        return Condition("Ready", TRUE, "Ready", rollout.serving)
    if stays:
        return Condition("Ready", TRUE, "Scaling", rollout.serving)
    return Condition("Ready", FALSE, "RollingOut", _numbers(rollout))


def _stalled(outcome: Outcome, rollout: Rollout, accepted: Condition, ready: Condition) -> Condition:
    """Tell of what only a person can end; a missing Secret or image may still come by itself."""
    if not accepted.holds:
        return Condition("Stalled", TRUE, accepted.reason, accepted.message)
    if contested := outcome.of(CONTESTED):
        return Condition("Stalled", TRUE, CONTESTED, reasons.joined(contested))
    if reason := reasons.refused(outcome) or reasons.held_back(rollout) or reasons.late(rollout):
        return Condition("Stalled", TRUE, *reason)
    if not ready.holds and (reason := reasons.overdue(outcome, rollout)):
        return Condition("Stalled", TRUE, *reason)
    return Condition("Stalled", FALSE, "NotStalled", "nothing needs a person's action")


def _reconciling(
    outcome: Outcome, ready: Condition, credentials: Condition, stalled: Condition, stored: Iterable[Object]
) -> Condition:
    if outcome.resource is not None and outcome.resource.spec.paused:
        missing = reasons.missing(outcome)
        told = f"; missing and not created: {missing}" if missing else ""
        return Condition("Reconciling", FALSE, "Paused", f"spec.paused is true: no object is changed{told}")
    if stalled.holds:
        return Condition("Reconciling", FALSE, stalled.reason, "a person has to act: see Stalled")
    if broken := _broken(outcome):
        return Condition("Reconciling", FALSE, *broken)
    if under_way := _under_way(outcome):
        return Condition("Reconciling", TRUE, *under_way)
    if over := _in_vain(outcome, credentials) or (_at_rest(outcome, stored) if ready.reason == "Ready" else None):
        return Condition("Reconciling", FALSE, *over)
    return Condition("Reconciling", TRUE, ready.reason, ready.message)


def _in_vain(outcome: Outcome, credentials: Condition) -> tuple[str, str] | None:
    """Say which keys are missing though all pods serve: nothing is under way that would bring them."""
    serves = outcome.rollout is not None and outcome.rollout.complete
    return (credentials.reason, credentials.message) if serves and outcome.credentials and outcome.complete else None


def _broken(outcome: Outcome) -> tuple[str, str] | None:
    """Say why pods do not serve that no deadline waits for: who waits for the end, as Argo CD does, would never stop.

    Whatever becomes of the way in; what is still to be written of that which serves may mend them, and so may a node
    that is awaited.
    """
    rollout = outcome.rollout
    if rollout is None or rollout.complete or not rollout.over or outcome.awaiting_node:
        return None
    unwritten = READY in outcome.unfinished or outcome.invalid or outcome.failure
    return None if unwritten else reasons.stuck(outcome, rollout)


def _at_rest(outcome: Outcome, stored: Iterable[Object]) -> tuple[str, str]:
    """Name what only observes and is not in its place; where all was settled, not while that may still pass."""
    settled = ("Reconciling", SETTLED, outcome.generation)
    was_settled = any((each["type"], each["reason"], each.get("observedGeneration")) == settled for each in stored)
    undone = [fault for fault in outcome.faults if not (was_settled and fault.condition in outcome.in_grace)]
    return (
        (undone[0].reason, f"not done: {reasons.joined(undone)}")
        if undone
        else (SETTLED, "everything is as the spec wants it")
    )


def _under_way(outcome: Outcome) -> tuple[str, str] | None:
    """Say what goes on by itself though the pods are all there."""
    if outcome.old_routes:
        return "SwitchingRoute", f"{', '.join(map(str, outcome.old_routes))} is kept until RouteReady is True"
    waits = outcome.waiting or outcome.awaits_rollout
    return ("Waiting", waits) if waits else reasons.failed(outcome, ROUTE_READY)


def _route(outcome: Outcome) -> Condition:
    if outcome.route is None:
        return Condition(ROUTE_READY, UNKNOWN, "InvalidSpec", "the spec cannot be read")
    if failed := reasons.failed(outcome, ROUTE_READY):
        return Condition(ROUTE_READY, FALSE, *failed)
    return Condition(ROUTE_READY, *outcome.route)


def _told(condition: Condition, outcome: Outcome, stored: Iterable[Object]) -> Condition:
    """Repeat what was said of this very spec while a failure may still pass; of a new one nothing is known yet.

    False is told even so; True is not, by a pass that could not look.
    """
    in_grace, unseen = condition.type in outcome.in_grace, condition.type in outcome.unseen and condition.holds
    if not in_grace and not unseen:
        return condition
    for each in stored:
        same = (each["type"], each.get("observedGeneration")) == (condition.type, outcome.generation)
        if same and (in_grace or each["reason"] != NOT_VISIBLE):
            return Condition(condition.type, each["status"], each["reason"], each["message"])
    if in_grace:
        message = "it is not in place yet, or could not be checked; it will be retried"
        return Condition(condition.type, UNKNOWN, "Pending", message)
    message = f"not known: the Secrets and ConfigMaps that the spec names could not be read: {outcome.failure}"
    return Condition(condition.type, UNKNOWN, NOT_VISIBLE, message)


def _monitored(monitoring: list[Condition]) -> Condition:
    first = next((condition for condition in monitoring if not condition.holds), None)
    if first is None:
        return Condition("Monitored", TRUE, "Monitored", "all that is enabled is in place")
    return Condition("Monitored", first.status, first.reason, f"{first.type}: {first.message}")
