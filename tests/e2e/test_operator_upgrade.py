"""Another version of the operator takes over what the one before it has made."""

import json
from collections.abc import Callable, Iterator

import pytest

from dev.cluster.paths import Layout
from dev.cluster.store import Store
from dev.cluster.tools import CTR
from dev.cluster.workshop import workshop
from tests.cluster.operators import writes
from tests.e2e.subject import SANDBOX, Subject, until

WHERE = "--namespace=text-to-image-system"
OPERATOR = "deployment/text-to-image-operator"
ACCOUNT = "system:serviceaccount:text-to-image-system:text-to-image-operator"


@pytest.fixture
def next_version(cluster: Layout, kubectl: Callable[..., str]) -> Iterator[str]:
    """Give the operator's image another tag, as a release does; the first one is back afterwards.

    The code and the service's image are the same: that no version is in what is built, and whose pods a release
    restarts by its templates or its images, is for tests/golden to say.
    """
    running = kubectl("get", OPERATOR, WHERE, "--output=jsonpath={.spec.template.spec.containers[0].image}")
    following = f"{running.rpartition(':')[0]}:next"
    with workshop(cluster) as shop:
        Store(shop.programs((CTR,))["ctr"]).tag(running, following)
    yield following
    _roll(kubectl, running)


def test_rolling_the_operator_s_image_restarts_no_pod_and_writes_nothing(
    subject: Subject, next_version: str, cluster: Layout, kubectl: Callable[..., str]
) -> None:
    subject.apply({**SANDBOX, "replicas": 2})
    subject.ready()
    subject.wait("Monitored", "True")
    pods, generation = subject.pod_uids(), subject.get("deployment", subject.name)["metadata"]["generation"]
    since = cluster.audit_log.stat().st_size

    _roll(kubectl, next_version)
    leader = until(lambda: _leader_of(kubectl, next_version), "the next version to lead", 60)
    other = Subject(kubectl, subject.namespace, "another")
    other.apply({**SANDBOX, "replicas": 0})
    other.ready()
    other.delete()

    written = [
        each
        for each in writes(cluster.audit_log, ACCOUNT, since)
        if each["objectRef"].get("namespace") == subject.namespace
    ]
    others = [each for each in written if other.name in json.dumps(each["objectRef"])]
    assert others, "what is written is seen"
    ours = [f"{each['verb']} {each['requestURI']}" for each in written if each not in others]
    assert [each for each in ours if "/events" not in each] == [], f"by {leader}"
    assert subject.pod_uids() == pods
    assert subject.get("deployment", subject.name)["metadata"]["generation"] == generation


def _roll(kubectl: Callable[..., str], image: str) -> None:
    kubectl("set", "image", OPERATOR, WHERE, f"operator={image}")
    kubectl("rollout", "status", OPERATOR, WHERE, "--timeout=120s")


def _leader_of(kubectl: Callable[..., str], image: str) -> str | None:
    """Return the pod that holds the Lease, once it is one of this image."""
    holder = kubectl("get", "lease", "text-to-image-operator", WHERE, "--output=jsonpath={.spec.holderIdentity}")
    pods = json.loads(kubectl("get", "pods", WHERE, "--output=json"))["items"]
    named = [pod for pod in pods if pod["metadata"]["name"] == holder]
    return holder if named and named[0]["spec"]["containers"][0]["image"] == image else None
