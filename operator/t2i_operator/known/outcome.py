"""What a reconciliation found and did: all that the status, the events and the metrics are made from."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from t2i_operator import spec
from t2i_operator.known.children import Id
from t2i_operator.known.credentials import Problem
from t2i_operator.known.faults import CONTESTED, READY, ROUTE_READY, Failure, Fault, condition_of
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
    """Filled while reconciling, read by the status. Sentences are for people; each names its object.

    Of the spec: `invalid` says what is wrong with it; `absent` are kinds that the API server does not serve;
    `credentials` and `lacks` are what the Secrets and ConfigMaps that it names lack, for Ready and by condition;
    `unseen` are the conditions of which that is not known, since they were not read.

    Of the attempt: `waiting` says for what it waits; `faults` are the objects that did not get into place, `failure`
    what ended it; `stopped` says that the API server bade us stop; `rivalled` that another operator writes the same
    objects; `unjudged` are failures to look at what lives, `in_grace` the conditions that stay as they are stored
    because a failure may pass.

    Of what lives: `rollout` and `jaeger` are the two Deployments', `trouble` why a pod does not run and `awaited` of
    how many pods that may still end by itself; `overdue` that a pod has not been ready for longer than one is waited
    for; `selected` whether Prometheus and its like take an object in, `unsynced_dashboards` those that
    no Grafana takes, `fallback_dashboards` those of the other form that people see until one does, `route` and `kept`
    the way in and the one before it; `objects` are all that are the resource's and do not go; `unwatched` that one has
    lost our label, so that no event tells of it.

    The rest are the deeds, for Events and metrics.
    """

    generation: int
    resource: spec.TextToImageService | None = None
    invalid: str = ""
    absent: dict[Kind, Absence] = msgspec.field(default_factory=dict)
    waiting: str = ""
    credentials: Problem | None = None
    lacks: dict[str, Problem] = msgspec.field(default_factory=dict)
    unseen: frozenset[str] = frozenset()
    failure: str = ""
    faults: list[Fault] = msgspec.field(default_factory=list)
    rivalled: bool = False
    unjudged: list[Failure] = msgspec.field(default_factory=list)
    in_grace: frozenset[str] = frozenset()
    stopped: bool = False
    unwatched: bool = False
    rollout: Rollout | None = None
    overdue: bool = False
    jaeger: Rollout | None = None
    selected: dict[Kind, Verdict] = msgspec.field(default_factory=dict)
    unsynced_dashboards: list[Id] = msgspec.field(default_factory=list)
    fallback_dashboards: list[Id] = msgspec.field(default_factory=list)
    trouble: Trouble | None = None
    awaited: int = 0
    route: Verdict | None = None
    kept: list[Id] = msgspec.field(default_factory=list)
    objects: list[Id] = msgspec.field(default_factory=list)
    created: list[Id] = msgspec.field(default_factory=list)
    updated: list[Id] = msgspec.field(default_factory=list)
    repaired: list[Repair] = msgspec.field(default_factory=list)
    deleted: list[Id] = msgspec.field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether all that is wanted is in place, so that the next look may be a short one."""
        return self.placed and not self.faults and not self.kept

    @property
    def placed(self) -> bool:
        """Whether every object that serves is there but for what others fight over: what is not wanted may go."""
        serves = self.unfinished.isdisjoint((READY, ROUTE_READY))
        return serves and not (self.invalid or self.waiting or self.failure or self.stopped)

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
