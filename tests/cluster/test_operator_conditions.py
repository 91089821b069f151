"""The truth table, row by row, each told by real pods."""

from collections.abc import Callable
from typing import Any

import pytest

from dev.cluster import catalog
from tests.api import Object
from tests.cluster import pods
from tests.cluster.operators import Service
from tests.waiting import eventually

NOTHING = {"$patch": "delete"}
SLEEP = ["/bin/busybox", "sleep", "2147483647"]
SLOW_NODE = {"seconds": 90.0}  # the kubelet takes its time over pulling and crashing, more so beside other suites
TOLD_SECONDS = 10.0  # within which the resource says what the API server shows


def _pod(*command: str, container: Object | None = None, **spec: Any) -> Object:
    """Run busybox in the service's place: what is tried here is what the operator says of any pod."""
    program = {
        "name": "text-to-image",
        "image": catalog.busybox().reference,
        "command": list(command or SLEEP),
        "startupProbe": NOTHING,
        "livenessProbe": NOTHING,
        "readinessProbe": NOTHING,
        **(container or {}),
    }
    return {"spec": {"terminationGracePeriodSeconds": 1, "containers": [program], **spec}}


NEVER_READY = {"readinessProbe": {"httpGet": NOTHING, "exec": {"command": ["/bin/busybox", "false"]}}}


def test_accepted_and_ready(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod())

    service.wait("Ready", "True", "Ready", **SLOW_NODE)
    conditions = service.conditions()
    assert {name: (each["status"], each["reason"]) for name, each in conditions.items()} == {
        "Ready": ("True", "Ready"),
        "Accepted": ("True", "Accepted"),
        "CredentialsReady": ("True", "CredentialsReady"),
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "RolloutComplete"),
        "Reconciling": ("False", "Settled"),
        "Stalled": ("False", "NotStalled"),
        "RouteReady": ("True", "Disabled"),
        "MetricsReady": ("True", "Disabled"),
        "AlertsReady": ("True", "Disabled"),
        "DashboardsReady": ("True", "Disabled"),
        "TracingReady": ("True", "Disabled"),
        "Monitored": ("True", "Monitored"),
    }
    status = service.live()["status"]
    assert (status["replicas"], status["readyReplicas"], status["replicasSummary"]) == (1, 1, "1/1")
    assert len(service.told("Ready")) == 1


def test_available_and_updating_are_separate_signals(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod())
    service.wait("Ready", "True", **SLOW_NODE)
    service.edit(podTemplate=_pod(container=NEVER_READY))

    service.wait("Progressing", "True", "RollingOut")
    conditions = service.conditions()
    assert conditions["Available"]["status"] == "True"
    assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "RollingOut")
    assert conditions["Reconciling"]["status"] == "True"
    eventually(lambda: service.live()["status"]["replicas"] == 2, "the new pod beside the old one")
    assert service.live()["status"]["readyReplicas"] == 0


def test_ready_means_the_new_pods(service: Service) -> None:
    """Those of the template before serve on all the while, and count for nothing in it."""
    service.create(replicas=2, **pods.PARKED)
    eventually(lambda: len(pods.names(service)) == 2, "two pods")
    old = pods.say(service, ready=True)
    service.ready()

    service.edit(podTemplate=_parked("next"))
    service.wait("Ready", "False", "RollingOut")
    eventually(lambda: pods.names(service) - old, "a new pod")
    assert old & pods.names(service)
    service.wait("Available", "True")
    service.wait("Ready", "False", "RollingOut")

    def renewed() -> bool:
        pods.serve(service)
        return bool(service.conditions()["Ready"]["status"] == "True")

    eventually(renewed, "the new ones to be ready", seconds=60)
    eventually(lambda: not old & pods.names(service), "the old ones to go")


def _parked(label: str) -> Object:
    return {**pods.PARKED["podTemplate"], "metadata": {"labels": {"example.com/version": label}}}


def test_too_few_pods(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod(container=NEVER_READY))

    service.wait("Available", "False", "MinimumReplicasUnavailable")
    assert service.conditions()["Ready"]["status"] == "False"


# The reason that is said, what the API server shows then, and what makes it so.
STUCK = [
    pytest.param(
        "ImagePullBackOff",
        {"ErrImagePull", "ImagePullBackOff"},
        _pod(container={"image": "registry.invalid/none:1"}),
        id="ImagePullBackOff",
    ),
    pytest.param(
        "CrashLoopBackOff", {"Error", "CrashLoopBackOff"}, _pod("/bin/busybox", "false"), id="CrashLoopBackOff"
    ),
    pytest.param(
        "CrashLoopBackOff", {"CrashLoopBackOff"}, _pod("/bin/busybox", "true"), id="a program that ends by itself"
    ),
    pytest.param(
        "OOMKilled",
        {"OOMKilled"},
        _pod(
            # Not at once: containerd hears of no memory that ran out before it began to watch.
            *("/bin/busybox", "sh", "-c", "/bin/busybox sleep 1; exec /bin/busybox tail /dev/zero"),
            container={"resources": {"limits": {"memory": "16Mi"}, "requests": NOTHING}},
        ),
        id="OOMKilled",
    ),
    pytest.param(
        "CreateContainerConfigError",
        {"CreateContainerConfigError"},
        # What a container lacks that no reference names: of those CredentialsReady tells before the kubelet does.
        _pod(
            container={"volumeMounts": [{"name": "room", "mountPath": "/room", "subPathExpr": "$(NOWHERE)"}]},
            volumes=[{"name": "room", "emptyDir": {}}],
        ),
        id="CreateContainerConfigError",
    ),
    pytest.param("Unschedulable", {"Unschedulable"}, _pod(nodeSelector={"nowhere": "true"}), id="Unschedulable"),
]


def _told(service: Service, reason: str, shown: set[str]) -> str:
    """Wait for the API server to show it, and then no longer than the resource may take to say it."""
    eventually(lambda: pods.shown(service) & shown, f"the API server to show {reason}", **SLOW_NODE)
    message: str = service.wait("Progressing", "False", reason, TOLD_SECONDS)["message"]
    return message


@pytest.mark.parametrize(("reason", "shown", "template"), STUCK)
def test_a_pods_image_pull_back_off_or_failed_scheduling_shows_in_the_parent_within_ten_seconds(
    default_service: Service, reason: str, shown: set[str], template: Object
) -> None:
    service = default_service
    service.create(replicas=1, podTemplate=template)

    message = _told(service, reason, shown)
    assert f"pod {service.name}-" in message
    service.wait("Ready", "False", reason)
    assert service.told(reason)


def test_a_stuck_rollout_leaves_the_service_available(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod())
    service.wait("Ready", "True", **SLOW_NODE)
    service.edit(podTemplate=_pod(nodeSelector={"nowhere": "true"}))

    service.wait("Progressing", "False", "Unschedulable", **SLOW_NODE)
    conditions = service.conditions()
    assert conditions["Available"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "Unschedulable"

    service.edit(podTemplate=_pod(nodeSelector=None))
    service.wait("Ready", "True", **SLOW_NODE)


def test_what_an_older_templates_pod_suffers_from_is_not_told_of_the_newest(service: Service) -> None:
    """The Deployment keeps the old pod, which cannot run, until the new one is ready."""
    service.create(replicas=1, podTemplate=_pod(container={"image": "registry.invalid/none:1"}))
    service.wait("Progressing", "False", "ImagePullBackOff", **SLOW_NODE)
    service.edit(podTemplate=_pod(container=NEVER_READY))

    service.wait("Progressing", "True", "RollingOut", **SLOW_NODE)
    eventually(lambda: len(pods.names(service)) == 2, "the new pod beside the old one")
    assert pods.shown(service) & {"ErrImagePull", "ImagePullBackOff"}

    service.edit(podTemplate=_pod(nodeSelector={"nowhere": "true"}))
    service.wait("Progressing", "False", "Unschedulable", **SLOW_NODE)


def test_a_quota_that_refuses_pods(default_service: Service, kubectl: Callable[..., str]) -> None:
    service = default_service
    kubectl("create", "quota", "none", "--hard=pods=0", "-n", service.namespace)
    service.create(replicas=1, podTemplate=_pod())

    assert "exceeded quota" in _told(service, "ReplicaFailure", {"ReplicaFailure"})


def test_pod_security_that_refuses_pods(default_service: Service) -> None:
    service = default_service
    privileged = {"securityContext": {"allowPrivilegeEscalation": True}}
    service.create(replicas=1, podTemplate=_pod(container=privileged))

    assert "violates PodSecurity" in _told(service, "ReplicaFailure", {"ReplicaFailure"})


def test_the_deadline_of_a_rollout_stalls_it(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod(container=NEVER_READY))
    service.wait("Progressing", "True", "RollingOut")
    service.edit(paused=True)  # so that the deadline of ten minutes may be shortened
    service.wait("Reconciling", "False", "Paused")
    service.api.patch("deployments", service.namespace, service.name, {"spec": {"progressDeadlineSeconds": 1}})

    service.wait("Progressing", "False", "ProgressDeadlineExceeded", **SLOW_NODE)
    service.wait("Stalled", "True", "ProgressDeadlineExceeded")


def test_pods_that_break_after_their_rollout_are_not_waited_for(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod(nodeSelector={"nowhere": "true"}))
    service.wait("Progressing", "False", "Unschedulable", **SLOW_NODE)
    assert service.conditions()["Reconciling"]["status"] == "True", "the rollout's deadline ends the wait"

    pods.say(service, ready=True)
    service.ready()
    pods.say(service, ready=False)
    service.wait("Ready", "False", "Unschedulable")
    assert service.conditions()["Reconciling"]["status"] == "True", "an autoscaler may bring a node"

    pods.found_no_node(service, "2026-01-01T00:00:00Z")
    service.wait("Reconciling", "False", "Unschedulable")
    assert service.conditions()["Stalled"]["status"] == "False"


def test_a_rollout_that_somebody_paused_says_how_to_resume_it(service: Service, kubectl: Callable[..., str]) -> None:
    service.create(replicas=1, **pods.PARKED)
    pods.say(service, ready=True)
    service.ready()
    kubectl("rollout", "pause", f"deployment/{service.name}", "-n", service.namespace)
    service.edit(podTemplate=pods.PARKED["podTemplate"] | {"metadata": {"labels": {"team": "images"}}})

    message = service.wait("Stalled", "True", "DeploymentPaused")["message"]
    service.wait("Ready", "False", "DeploymentPaused")
    kubectl(*message.partition("kubectl ")[2].split())
    service.wait("Stalled", "False")

    def ready() -> bool:
        pods.serve(service)
        return bool(service.conditions()["Ready"]["status"] == "True")

    eventually(ready, "the new pod to serve", seconds=60)


def test_a_pod_template_that_the_api_server_refuses(service: Service) -> None:
    service.create(replicas=1, podTemplate=_pod())
    service.wait("Ready", "True", **SLOW_NODE)
    before = service.child("deployments")["metadata"]["generation"]
    service.edit(podTemplate={"spec": {"restartPolicy": "Sometimes"}}, logging={"level": "DEBUG"})

    condition = service.wait("Accepted", "False", "InvalidSpec")
    assert "spec.podTemplate" in condition["message"]
    assert "restartPolicy" in condition["message"]
    assert service.child("deployments")["metadata"]["generation"] == before
    assert service.wait("Stalled", "True", "InvalidSpec")
    assert service.conditions()["Available"]["status"] == "True"


def test_a_pod_template_that_cannot_be_merged(service: Service) -> None:
    service.create(podTemplate={"spec": {"containers": [{"image": "x"}]}})

    assert "spec.containers" in service.wait("Accepted", "False", "InvalidSpec")["message"]


def test_the_columns(service: Service, kubectl: Callable[..., str]) -> None:
    service.create()
    service.ready()

    heads, row = (line.split() for line in kubectl("get", "t2iservices", "-n", service.namespace).splitlines())
    assert heads == ["NAME", "READY", "MONITORED", "REPLICAS", "MODEL", "ENDPOINT", "REASON", "AGE"]
    endpoint = f"http://{service.name}-service.{service.namespace}.svc"
    assert row[:-1] == [service.name, "True", "True", "0/0", "sdxl", endpoint, "Ready"]


def test_a_status_that_others_change_is_put_back(service: Service) -> None:
    service.create()
    service.ready()
    path = service.api.path("texttoimageservices", service.namespace, service.name) + "/status"
    service.api.request("PATCH", path, {"status": {"endpoint": "x"}}, "application/merge-patch+json")

    eventually(lambda: service.live()["status"]["endpoint"] != "x", "the endpoint to be put back")
