"""Why a pod does not run, in the pod's own words: what a Deployment's status leaves out.

Messages are made so that they stay the same while the trouble does; the kubelet's own count back-offs and would have
the status written at every retry.
"""

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from t2i_operator import naming
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.kinds import Object
from t2i_operator.naming import Key

# Waiting for these is how every pod begins.
_ORDINARY = frozenset({"", "ContainerCreating", "PodInitializing"})
_IMAGE = {"ErrImagePull": "ImagePullBackOff", "ImageInspectError": "ImagePullBackOff"}
_CRASH_LOOP = "CrashLoopBackOff"
# Evicted, or left behind by a node that was shut down: others run in their place, and nobody collects them for long.
_OVER = frozenset({"Failed", "Succeeded"})
# Once is none: a container that was stopped, by a probe say, may end with 0 as well.
_AGAIN_AND_AGAIN = 2
# `restartCount` is of the pod's whole life, and `lastState` of any time in it. After a run of ten minutes the kubelet,
# too, starts its back-off anew.
_SHORT_RUN = timedelta(minutes=10)
# A busy scheduler takes seconds for a pod, an autoscaler minutes for a node. It is a rollout's deadline, too.
_AWAITED = timedelta(minutes=10)


class Trouble(msgspec.Struct, frozen=True, gc=False, order=True):
    """The reason for machines and the sentence for people; `since` orders pods by age.

    `template` is the hash of the pod's template, and `until` the Unix time at which the trouble is over by itself.
    Until `awaited_until`, what the pod lacks may well come without a person's doing.
    """

    since: str
    reason: str
    message: str
    template: str = ""
    until: float = math.inf
    awaited_until: float = -math.inf


class Pods:
    """The troubled pods of each resource; of healthy ones nothing is kept."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._troubles: dict[Key, dict[str, Trouble]] = {}

    def newest_trouble(self, key: Key, rollout: Rollout) -> Trouble | None:
        """Return the trouble of the newest template's youngest pod, and of an older one's only while that has none.

        Why it has none the rollout may tell itself, which is nearer to the cause. What is only awaited comes last,
        and of that first what will be given up soonest.
        """
        now = self._clock()
        found = self._told_of(key, rollout)
        return max(found, key=lambda each: (-max(now, each.awaited_until), each), default=None)

    def awaiting_node(self, key: Key, rollout: Rollout) -> int:
        """Count the pods for which what they lack, a node, may still come by itself; 0 where one has other trouble."""
        now, found = self._clock(), self._told_of(key, rollout)
        return len(found) if all(now < each.awaited_until for each in found) else 0

    def observe(self, pod: Object) -> Key | None:
        """Take note of a pod; return its resource when that changes what is to be said."""
        return self._set(pod, None if pod["metadata"].get("deletionTimestamp") else trouble(pod))

    def forget(self, pod: Object) -> Key | None:
        """Take note that a pod went."""
        return self._set(pod, None)

    def retain(self, namespace: str | None, names: set[tuple[str, str]]) -> set[Key]:
        """Drop what a new list no longer shows: pods that went while the watch was down."""
        changed = set()
        for key, troubles in list(self._troubles.items()):
            gone = [name for name in troubles if (key.namespace, name) not in names]
            if gone and namespace in (None, key.namespace):
                changed.add(key)
                for name in gone:
                    self._drop(key, name)
        return changed

    def _told_of(self, key: Key, rollout: Rollout) -> list[Trouble]:
        now = self._clock()
        found = [each for each in self._troubles.get(key, {}).values() if now < each.until]
        if rollout.updated and rollout.template:
            return [each for each in found if each.template == rollout.template]
        return found if rollout.updated or not rollout.replica_failure else []

    def _set(self, pod: Object, found: Trouble | None) -> Key | None:
        metadata = pod["metadata"]
        labels = metadata.get("labels", {})
        instance = labels.get(naming.INSTANCE_LABEL)
        if not instance or labels.get(naming.COMPONENT_LABEL) != naming.SERVICE_COMPONENT:
            return None
        key, name = Key(metadata["namespace"], instance), metadata["name"]
        if self._troubles.get(key, {}).get(name) == found:
            return None
        if found is None:
            self._drop(key, name)
        else:
            self._troubles.setdefault(key, {})[name] = found
        return key

    def _drop(self, key: Key, name: str) -> None:
        troubles = self._troubles[key]
        del troubles[name]
        if not troubles:
            del self._troubles[key]


class _Found(NamedTuple):
    """A trouble, whatever pod has it."""

    reason: str
    message: str
    until: float = math.inf
    awaited_until: float = -math.inf


def trouble(pod: Object) -> Trouble | None:
    """Say what keeps a pod from running; None when nothing does, or when it merely starts."""
    if pod.get("status", {}).get("phase") in _OVER:
        return None
    found = _unschedulable(pod) or _container_trouble(pod)
    if found is None:
        return None
    metadata = pod["metadata"]
    return Trouble(
        since=metadata.get("creationTimestamp", ""),
        reason=found.reason,
        message=f"pod {metadata['name']}: {found.message}",
        template=metadata.get("labels", {}).get(naming.TEMPLATE_HASH_LABEL, ""),
        until=found.until,
        awaited_until=found.awaited_until,
    )


def _unschedulable(pod: Object) -> _Found | None:
    for condition in pod.get("status", {}).get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            since = condition.get("lastTransitionTime") or pod["metadata"]["creationTimestamp"]
            ends = (datetime.fromisoformat(since) + _AWAITED).timestamp()
            return _Found("Unschedulable", condition.get("message", "no node takes it"), awaited_until=ends)
    return None


def _container_trouble(pod: Object) -> _Found | None:
    """Return the first container's trouble, of those that last longest."""
    status = pod.get("status", {})
    containers = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    troubles = [_waiting(each) or _restarting(each) for each in containers if not each.get("ready")]
    return max((each for each in troubles if each), key=lambda each: each.until, default=None)


def _waiting(container: Object) -> _Found | None:
    waiting = container.get("state", {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    reason = _IMAGE.get(reason, reason)
    name = container["name"]
    if reason in _ORDINARY or reason == _CRASH_LOOP:
        return None
    if reason in ("ImagePullBackOff", "InvalidImageName"):
        return _Found(reason, f"the image {container.get('image', '')} of container {name} cannot be pulled")
    return _Found(reason, f"container {name}: {waiting.get('message', 'cannot be started')}")


def _restarting(container: Object) -> _Found | None:
    """Call it a crash loop while it waits, while it runs again, but not for long, and while it ends again."""
    found = _ended(container)
    began = (container.get("state", {}).get("running") or {}).get("startedAt")
    if found is None or not began:
        return found
    return found._replace(until=(datetime.fromisoformat(began) + _SHORT_RUN).timestamp())


def _ended(container: Object) -> _Found | None:
    state = container.get("state", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
    name, code, reason = container["name"], ended.get("exitCode"), ended.get("reason")
    waits = (state.get("waiting") or {}).get("reason") == _CRASH_LOOP
    if code == 0 and reason == "Completed":
        again = waits or (container.get("restartCount", 0) >= _AGAIN_AND_AGAIN and _was_short(ended))
        why = "its command ends, or a probe stops it; see the pod's events"
        return _Found(_CRASH_LOOP, f"container {name} keeps exiting with code 0: {why}") if again else None
    if reason == "OOMKilled":
        return _Found("OOMKilled", f"container {name} ran out of memory; raise its memory limit in spec.podTemplate")
    if ended:
        return _Found(_CRASH_LOOP, f"container {name} exits with code {code}; see its logs")
    return _Found(_CRASH_LOOP, f"container {name} keeps ending; see its logs") if waits else None


def _was_short(ended: Object) -> bool:
    began, finished = ended.get("startedAt"), ended.get("finishedAt")
    if not began or not finished:
        return False
    return datetime.fromisoformat(finished) - datetime.fromisoformat(began) < _SHORT_RUN
