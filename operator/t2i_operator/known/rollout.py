"""What a Deployment says about its rollout, or a collector about its own, kept instead of the object itself."""

import math
import re
from datetime import datetime, timedelta

import msgspec

from t2i_operator.kube.kinds import Object

# How a Deployment's condition Progressing names the newest ReplicaSet, whose name ends with its template's hash.
# Source: `progress.go` and `sync.go` in pkg/controller/deployment of Kubernetes.
_NEWEST = re.compile(r'replica ?set "[^"]+-([^"-]+)"', re.IGNORECASE)
# Pods that are not ready when it is over are not waited for: as long as a rollout has by default.
_AWAITED = timedelta(minutes=10)


class Rollout(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The numbers and reasons of one object's status, and the newest template's hash, where that is named.

    `given_up_at` is the Unix time at which pods that are not ready have been so for too long to be waited for.
    """

    wanted: int = 1
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    observed: bool = False
    deadline_exceeded: str = ""
    replica_failure: str = ""
    paused: str = ""
    rolled_out: bool = False
    template: str = ""
    given_up_at: float = math.inf

    @property
    def complete(self) -> bool:
        """Only new pods are there, and all of them serve: what `kubectl rollout status` waits for."""
        return self.observed and self.replicas == self.updated == self.available == self.wanted

    @property
    def over(self) -> bool:
        """Only new pods are there, and what fails of them fails without a deadline; a pause takes that away, too."""
        return self.observed and (self.rolled_out or bool(self.paused)) and self.replicas == self.updated

    @property
    def awaits_resume(self) -> bool:
        """Pods of an older template are kept because somebody paused the Deployment, which has no deadline then."""
        return bool(self.paused) and self.replicas != self.updated

    @property
    def serving(self) -> str:
        """Say how many pods serve; while they are rolled or become fewer there are more than are wanted."""
        return (
            f"{self.available} of {self.wanted} pods serve"
            if self.available <= self.wanted
            else (f"{self.available} pods serve")
        )

    @property
    def new_ready(self) -> int:
        """Pods of the newest template that are ready, at least: old ones that still run are taken to be ready."""
        return max(0, self.ready - (self.replicas - self.updated))


def rollout(deployment: Object) -> Rollout:
    """Read a live Deployment."""
    spec, status = deployment["spec"], deployment.get("status", {})
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    progressing, failure = conditions.get("Progressing", {}), conditions.get("ReplicaFailure", {})
    exceeded = progressing.get("reason") == "ProgressDeadlineExceeded"
    newest = _NEWEST.search(progressing.get("message", ""))
    return Rollout(
        wanted=spec.get("replicas", 1),
        replicas=status.get("replicas", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        observed=status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0),
        deadline_exceeded=progressing.get("message", "") if exceeded else "",
        replica_failure=failure.get("message", "") if failure.get("status") == "True" else "",
        paused=_paused(deployment["metadata"]) if spec.get("paused") else "",
        rolled_out=progressing.get("reason") == "NewReplicaSetAvailable",
        template=newest[1] if newest else "",
        given_up_at=_given_up_at(conditions.get("Available", {})),
    )


def _given_up_at(available: Object) -> float:
    """Count from when the first pod was missed: none may be away, so the Deployment says at once that it is."""
    since = available.get("lastTransitionTime")
    if available.get("status") != "False" or not since:
        return math.inf
    return (datetime.fromisoformat(since) + _AWAITED).timestamp()


def _paused(metadata: Object) -> str:
    resume = f"kubectl rollout resume deployment/{metadata['name']} -n {metadata['namespace']}"
    return f"somebody paused the rollout of Deployment {metadata['name']}, which goes on after: {resume}"


def collector_rollout(collector: Object) -> Rollout:
    """Read a live OpenTelemetryCollector, whose `status.scale.statusReplicas` is `ready/all` of its Deployment's pods.

    Source: `UpdateCollectorStatus` of open-telemetry/opentelemetry-operator, which writes it whenever that Deployment
    changes. Which generation it speaks of only newer versions say.
    """
    status = collector.get("status", {})
    ready, pods = map(_number, str(status.get("scale", {}).get("statusReplicas", "")).partition("/")[::2])
    generation = collector["metadata"].get("generation", 0)
    return Rollout(
        wanted=collector["spec"].get("replicas", 1),
        replicas=pods,
        updated=pods,  # it is made anew, not rolled: no pod of an older template runs beside
        ready=ready,
        available=ready,
        observed=status.get("observedGeneration", generation) >= generation,
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
