"""What a pod says of its trouble, in statuses as kubelet and scheduler write them."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.pods import Pods, trouble
from t2i_operator.known.rollout import Rollout, rollout
from t2i_operator.naming import Key
from t2i_operator.status.conditions import conditions

from tests.unit.operator.resources import resource

KEY = Key("n", "a")
ROLLS = Rollout(updated=1, template="new")


def pod(
    name: str = "a-1", *, created: str = "2026-01-01T00:00:00Z", template: str = "new", **status: Any
) -> dict[str, Any]:
    labels = {"app.kubernetes.io/instance": "a", "app.kubernetes.io/component": "service"}
    labels["pod-template-hash"] = template
    metadata = {"name": name, "namespace": "n", "labels": labels, "creationTimestamp": created}
    return {"metadata": metadata, "status": status}


def container(*, ready: bool = False, **fields: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "main", "image": "i:1", "ready": ready, **fields}]}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return container(state={"waiting": {"reason": reason, "message": message}})


def completed(state: dict[str, Any], *, restarts: int, minutes: int | None = 9) -> dict[str, Any]:
    return container(state=state, lastState=ran(minutes), restartCount=restarts)


def ran(minutes: int | None) -> dict[str, Any]:
    """Return a run that ended with 0, after so many minutes; None where nobody knows."""
    finished = None if minutes is None else f"2026-01-01T00:{minutes:02}:00Z"
    times = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": finished}
    return {"terminated": {"reason": "Completed", "exitCode": 0, **times}}


def ended(reason: str, code: int) -> dict[str, Any]:
    return {"terminated": {"reason": reason, "exitCode": code}}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (waiting("ErrImagePull"), "ImagePullBackOff", "the image i:1 of container main"),
        (waiting("ImagePullBackOff", "Back-off pulling image for 20s"), "ImagePullBackOff", "cannot be pulled"),
        (waiting("InvalidImageName"), "InvalidImageName", "cannot be pulled"),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), "CreateContainerConfigError", 'secret "x" not'),
        (container(state=ended("Error", 3)), "CrashLoopBackOff", "exits with code 3"),
        (container(state={"running": {}}, lastState=ended("Error", 3)), "CrashLoopBackOff", "exits with code 3"),
        (
            container(state={"waiting": {"reason": "CrashLoopBackOff"}}, lastState=ended("OOMKilled", 137)),
            "OOMKilled",
            "raise its memory limit",
        ),
        (waiting("CrashLoopBackOff"), "CrashLoopBackOff", "container main keeps ending"),
        (
            completed({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=1, minutes=30),
            "CrashLoopBackOff",
            "keeps exiting with code 0",
        ),
        (completed({"running": {}}, restarts=2), "CrashLoopBackOff", "or a probe stops it"),
        (container(state=ran(9), restartCount=2), "CrashLoopBackOff", "or a probe stops it"),
        (
            {"conditions": [{"type": "PodScheduled", "reason": "Unschedulable", "message": "0/1 nodes are available"}]},
            "Unschedulable",
            "0/1 nodes are available",
        ),
        (
            {"initContainerStatuses": [{"name": "first", "state": ended("Error", 1)}], **waiting("PodInitializing")},
            "CrashLoopBackOff",
            "container first exits with code 1",
        ),
    ],
)
def test_trouble_has_the_pods_own_reason(status: dict[str, Any], reason: str, words: str) -> None:
    found = trouble(pod(**status))
    assert found is not None
    assert found.reason == reason
    assert words in found.message
    assert found.message.startswith("pod a-1: ")


@pytest.mark.parametrize(
    "status",
    [
        {},
        waiting("ContainerCreating"),
        container(ready=True, state={"running": {}}, lastState=ended("Error", 1)),
        container(state={"running": {}}),
        completed({"running": {}}, restarts=1),
        completed({"running": {}}, restarts=2, minutes=10),
        completed({"running": {}}, restarts=2, minutes=None),
        container(state=ran(10), restartCount=2),
        {
            "initContainerStatuses": [{"name": "first", "ready": True, "state": ended("Completed", 0)}],
            **waiting("PodInitializing"),
        },
    ],
)
def test_a_pod_that_runs_or_merely_starts_has_none(status: dict[str, Any]) -> None:
    assert trouble(pod(**status)) is None


EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
UNSCHEDULABLE = {"conditions": [{"type": "PodScheduled", "reason": "Unschedulable"}]}


@pytest.mark.parametrize(
    "status",
    [
        {**EVICTED, **container(state=ended("ContainerStatusUnknown", 137))},
        {**EVICTED, "reason": "Terminated", **container(state=ended("Error", 143))},
        {**EVICTED, **waiting("ErrImagePull")},
        {**EVICTED, **UNSCHEDULABLE},
        {"phase": "Succeeded", **container(state=ended("Error", 1))},
    ],
)
def test_a_pod_that_is_over_says_nothing_of_those_in_its_place(status: dict[str, Any]) -> None:
    assert trouble(pod(**{**status, "phase": "Running"})) is not None, "or the phase would not be what tells"
    pods = Pods()
    assert pods.observe(pod("a-evicted", **status)) is None
    assert pods.newest_trouble(KEY, ROLLS) is None


def test_a_pod_whose_trouble_ends_with_it_is_news() -> None:
    pods, crashes = Pods(), container(state=ended("Error", 1))
    assert pods.observe(pod(**crashes)) == KEY
    assert pods.observe(pod(**EVICTED, **crashes)) == KEY
    assert pods.newest_trouble(KEY, ROLLS) is None


def test_the_message_stays_while_a_container_ends_with_0_again_and_again() -> None:
    waits = completed({"waiting": {"reason": "CrashLoopBackOff"}}, restarts=1)
    runs, ends = completed({"running": {}}, restarts=2), completed(ran(9), restarts=2)
    assert trouble(pod(**waits)) == trouble(pod(**runs)) == trouble(pod(**ends)) is not None


def test_the_message_stays_while_the_trouble_does() -> None:
    waits = container(
        state={"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 20s"}}, lastState=ended("Error", 1)
    )
    runs = container(state={"running": {}}, lastState=ended("Error", 1))
    assert trouble(pod(**waits)) == trouble(pod(**runs)) == trouble(pod(**container(state=ended("Error", 1))))


def test_only_changes_are_told() -> None:
    pods = Pods()
    assert pods.observe(pod(**container(ready=True))) is None
    assert pods.observe(pod(**waiting("ErrImagePull"))) == KEY
    assert pods.observe(pod(**waiting("ImagePullBackOff"))) is None
    assert pods.observe(pod(**container(ready=True))) == KEY
    assert pods.newest_trouble(KEY, ROLLS) is None


def troubled() -> Pods:
    """Return the pods of a resource of which one, of an older template, cannot pull its image."""
    pods = Pods()
    pods.observe(pod("a-old", template="old", **waiting("ErrImagePull")))
    return pods


def reason(pods: Pods, rollout: Rollout) -> str | None:
    found = pods.newest_trouble(KEY, rollout)
    return found.reason if found else None


def test_an_older_templates_trouble_is_not_the_newest_ones() -> None:
    pods = troubled()
    assert reason(pods, ROLLS) is None, "its image has been mended, and the pod of the newest template starts"

    pods.observe(pod("a-new", created="2025-01-01T00:00:00Z", **container(state=ended("Error", 1))))
    assert reason(pods, ROLLS) == "CrashLoopBackOff", "though a pod of the old template was made again since"
    pods.observe(pod("a-new-too", created="2025-01-02T00:00:00Z", **UNSCHEDULABLE))
    assert reason(pods, ROLLS) == "Unschedulable", "the youngest one's"
    pods.forget(pod("a-new-too"))
    pods.observe(pod("a-new", **container(ready=True)))
    assert reason(pods, ROLLS) is None


def test_an_older_templates_trouble_is_told_while_the_newest_has_no_pod_and_no_reason_for_that() -> None:
    quota = Rollout(template="new", replica_failure="exceeded quota")
    assert reason(troubled(), Rollout(template="new")) == "ImagePullBackOff"
    assert reason(troubled(), quota) is None
    refused = {each.type: each for each in conditions(Outcome(generation=1, resource=resource(), rollout=quota))}
    assert refused["Progressing"].reason == "ReplicaFailure"


def test_the_youngest_pods_trouble_is_told_where_nobody_names_the_newest_template() -> None:
    pods = troubled()
    pods.observe(pod("a-new", created="2026-01-02T00:00:00Z", **container(state=ended("Error", 1))))
    assert reason(pods, Rollout(updated=1)) == "CrashLoopBackOff"
    pods.forget(pod("a-new"))
    assert reason(pods, Rollout(updated=1)) == "ImagePullBackOff"


@pytest.mark.parametrize(
    ("message", "template"),
    [
        ('Created new replica set "a-b-5c9f7d"', "5c9f7d"),
        ('Found new replica set "a-b-5c9f7d"', "5c9f7d"),
        ('ReplicaSet "a-b-5c9f7d" is progressing.', "5c9f7d"),
        ('ReplicaSet "a-b-5c9f7d" has successfully progressed.', "5c9f7d"),
        ('ReplicaSet "a-b-5c9f7d" has timed out progressing.', "5c9f7d"),
        ('Failed to create new replica set "a-b-5c9f7d": replicasets.apps is forbidden: "x-1" y', "5c9f7d"),
        ('Deployment "a-b" has timed out progressing.', ""),
        ("Deployment is paused", ""),
        ("", ""),
    ],
    ids=str,
)
def test_the_newest_template_is_the_one_that_the_deployment_names(message: str, template: str) -> None:
    """In the words of the Deployment controller; tests/cluster hears them from a real one."""
    progressing = {"type": "Progressing", "status": "True", "message": message}
    live = {"metadata": {"generation": 1}, "spec": {}, "status": {"conditions": [progressing]}}
    assert rollout(live).template == template


BEGAN = "2026-01-01T12:00:00Z"
OVER = (datetime.fromisoformat(BEGAN) + timedelta(minutes=10)).timestamp()
RUNS = {"running": {"startedAt": BEGAN}}


@pytest.mark.parametrize(
    "status",
    [
        container(state=RUNS, lastState=ended("Error", 3)),
        container(state=RUNS, lastState=ended("OOMKilled", 137)),
        completed(RUNS, restarts=2),
    ],
    ids=["failed", "out of memory", "ended with 0"],
)
def test_a_container_that_has_run_for_long_is_not_in_trouble_for_how_it_once_ended(status: dict[str, Any]) -> None:
    now = OVER - 1
    pods = Pods(lambda: now)
    assert pods.observe(pod(**status)) == KEY
    found = pods.newest_trouble(KEY, ROLLS)
    assert found is not None
    assert found.until == OVER, "when to look again: no event tells of it"
    now = OVER
    assert pods.newest_trouble(KEY, ROLLS) is None


def test_a_trouble_that_lasts_is_told_before_one_that_may_be_over() -> None:
    status = container(state=RUNS, lastState=ended("Error", 3))
    status["containerStatuses"].insert(0, {"name": "other", "ready": True, "state": RUNS})
    status["containerStatuses"].append({"name": "side", "state": {"waiting": {"reason": "CrashLoopBackOff"}}})
    pods = Pods(lambda: OVER)
    pods.observe(pod(**status))
    found = pods.newest_trouble(KEY, ROLLS)
    assert found is not None
    assert "container side" in found.message


UNPLACED = {"conditions": [{**UNSCHEDULABLE["conditions"][0], "lastTransitionTime": BEGAN}]}


def test_a_node_is_awaited_for_ten_minutes_from_when_the_scheduler_found_none() -> None:
    now = OVER - 1
    pods = Pods(lambda: now)
    pods.observe(pod(created="2026-01-01T11:00:00Z", **UNPLACED))
    found = pods.newest_trouble(KEY, ROLLS)
    assert found is not None
    assert pods.awaiting_node(KEY, ROLLS) == 1
    now = OVER
    assert pods.awaiting_node(KEY, ROLLS) == 0
    assert pods.newest_trouble(KEY, ROLLS) == found, "it is the same trouble, and lasts"
    assert Pods().awaiting_node(KEY, ROLLS) == 0


def test_what_is_only_awaited_hides_no_trouble_that_lasts() -> None:
    now = OVER - 1
    pods = Pods(lambda: now)
    pods.observe(pod("a-old", **container(state=ended("Error", 1))))
    pods.observe(pod("a-young", created=BEGAN, **UNPLACED))
    assert reason(pods, ROLLS) == "CrashLoopBackOff"
    assert pods.awaiting_node(KEY, ROLLS) == 0
    now = OVER
    assert reason(pods, ROLLS) == "Unschedulable", "the youngest one's, when neither is awaited"


def test_of_pods_that_are_awaited_the_one_that_is_given_up_first_is_told() -> None:
    pods, later = Pods(lambda: OVER - 1), {**UNPLACED["conditions"][0], "lastTransitionTime": "2026-01-01T12:05:00Z"}
    pods.observe(pod("a-first", **UNPLACED))
    pods.observe(pod("a-later", created=BEGAN, conditions=[later]))
    found = pods.newest_trouble(KEY, ROLLS)
    assert found is not None
    assert found.awaited_until == OVER, "or the look that finds it would come late"
    assert pods.awaiting_node(KEY, ROLLS) == 2


def test_pods_on_their_way_out_do_not_count() -> None:
    pods, leaving = Pods(), pod(**waiting("ErrImagePull"))
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert pods.observe(leaving) is None


def test_the_pods_of_jaeger_are_not_the_services() -> None:
    pods, jaeger = Pods(), pod(**waiting("ErrImagePull"))
    jaeger["metadata"]["labels"]["app.kubernetes.io/component"] = "jaeger"
    assert pods.observe(jaeger) is None
    assert pods.newest_trouble(KEY, ROLLS) is None


def test_a_new_list_drops_what_it_does_not_show() -> None:
    pods = Pods()
    pods.observe(pod("a-1", **waiting("ErrImagePull")))
    assert pods.retain("another", set()) == set()
    assert pods.retain("n", {("n", "a-1")}) == set()
    assert pods.retain(None, set()) == {KEY}
    assert pods.newest_trouble(KEY, ROLLS) is None
