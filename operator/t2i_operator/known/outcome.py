"""What a reconciliation found and did: all that the status, the events and the metrics are made from."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from t2i_operator import spec
from t2i_operator.known.credentials import Problem
from t2i_operator.known.faults import CONTESTED, READY, Failure, Fault, condition_of
from t2i_operator.known.identity import Id
from t2i_operator.known.pods import Trouble
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import Kind


class Verdict(NamedTuple):
    """The status, reason and message of what is to be said of one object."""

    status: str
    reason: str
    message: str

    @property
    def holds(self) -> bool:
        """Whether the status is True; Unknown does not hold."""
        return self.status == "True"


class Repair(NamedTuple):
    """An object that was put back, and what had become of it."""

    identity: Id
    what: str

    def __str__(self) -> str:
        return f"{self.identity}: {self.what}"


class Outcome(msgspec.Struct, kw_only=True):
    """Filled while reconciling, read by the status. Sentences are for people; each names its object."""

    generation: int
    resource: spec.TextToImageService | None = None  # None: the spec cannot be read

    # Of the spec.
    invalid: str = ""  # what is wrong with it
    absent: dict[Kind, Absence] = msgspec.field(default_factory=dict)  # kinds that the API server does not serve
    credentials: Problem | None = None  # what the Secrets and ConfigMaps that it names lack, for Ready
    lacks: dict[str, Problem] = msgspec.field(default_factory=dict)  # the same, by condition
    unseen: frozenset[str] = frozenset()  # the conditions of which that is not known, since nothing was read

    # Of the attempt.
    waiting: str = ""  # for what it waits
    awaits_rollout: str = ""  # the same, of whose end the Deployment's own event tells
    faults: list[Fault] = msgspec.field(default_factory=list)  # the objects that did not get into place
    failure: str = ""  # what ended it
    stopped: bool = False  # the API server bade us stop
    rivalled: bool = False  # another operator writes the same objects
    unjudged: list[Failure] = msgspec.field(default_factory=list)  # failures to look at what lives
    in_grace: frozenset[str] = frozenset()  # the conditions that stay as they are stored, because a failure may pass

    # Of what lives.
    rollout: Rollout | None = None  # the service's Deployment
    overdue: bool = False  # a pod has not been ready for longer than one is waited for
    jaeger: Rollout | None = None  # Jaeger's Deployment or collector
    trouble: Trouble | None = None  # why a pod does not run
    awaiting_node: int = 0  # the pods that lack nothing but a node, which may still come by itself
    selected: dict[Kind, Verdict] = msgspec.field(default_factory=dict)  # whether Prometheus and its like take it in
    unsynced_dashboards: list[Id] = msgspec.field(default_factory=list)  # no Grafana takes them
    untaken_dashboards: list[Id] = msgspec.field(default_factory=list)  # none has said that it has them
    fallback_dashboards: list[Id] = msgspec.field(default_factory=list)  # of the other form: seen until one does
    route: Verdict | None = None  # the way in
    old_routes: list[Id] = msgspec.field(default_factory=list)  # the ways in before it, kept until it works
    objects: list[Id] = msgspec.field(default_factory=list)  # all that are the resource's and do not go
    unwatched: bool = False  # one of them has lost our label, so that no event tells of it

    # The deeds, for Events and metrics.
    created: list[Id] = msgspec.field(default_factory=list)
    updated: list[Id] = msgspec.field(default_factory=list)
    repaired: list[Repair] = msgspec.field(default_factory=list)
    deleted: list[Id] = msgspec.field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is in place, so that the next look may be a short one."""
        return self.placed and not (self.faults or self.old_routes or self.awaits_rollout)

    @property
    def placed(self) -> bool:
        """Whether every object that serves is there but for what others fight over: what is not wanted may go."""
        return READY not in self.unfinished and not (self.invalid or self.waiting or self.failure or self.stopped)

    @property
    def unfinished(self) -> set[str]:
        """Return the conditions of which an object is not in its place: what came before it stays."""
        return {fault.condition for fault in self.faults if fault.reason != CONTESTED}

    def fault(self, identity: Id, reason: str, message: str, error: ApiError | None = None) -> None:
        """Take note of what keeps an object from its place."""
        name = self.resource.metadata.name if self.resource is not None else ""
        condition = condition_of(identity, name, failed=error is not None)
        self.faults.append(Fault(identity, condition, reason, message, error))

    def failed(self, identity: Id, reason: str, error: ApiError) -> None:
        """Take note of what the API server refused; the error itself is for the log and for trying again."""
        error.message = f"{identity}: {error.message}"
        self.fault(identity, reason, error.message, error)

    def skip_rest(self, rest: Iterable[Id], error: ApiError) -> None:
        """Take note of objects that were not looked at, because the API server bids to stop."""
        name = self.resource.metadata.name if self.resource is not None else ""
        self.stopped = True
        self.cannot_judge((condition_of(identity, name) for identity in rest), error)

    def cannot_judge(self, conditions: Iterable[str], error: Exception) -> None:
        """Take note of conditions that cannot be judged, because what they speak of was not seen or not reached."""
        self.unjudged += [Failure(condition, error) for condition in conditions]

    @property
    def failures(self) -> list[Failure]:
        """Return what went wrong, for each condition that has to wait for it."""
        refused = [Failure(each.condition, each.error) for each in self.faults if each.error]
        return refused + self.unjudged

    def of(self, *reasons: str, condition: str = READY) -> list[Fault]:
        """Return the faults of these reasons that a condition has to speak of."""
        return [each for each in self.faults if each.reason in reasons and each.condition == condition]
