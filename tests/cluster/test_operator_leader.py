"""Two replicas and one Lease: one writes at a time, and the other is there in time."""

import datetime
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from dev.cluster.paths import Layout
from tests.cluster.api import Api, Object, eventually
from tests.cluster.operators import OperatorAccount, Service, writes

LEASE_SECONDS = 15.0


class Pair:
    """The one that leads and the one that stands by."""

    def __init__(self, account: OperatorAccount) -> None:
        self.account = account
        self.first, self.second = (account.process(name) for name in ("first", "second"))

    def start(self) -> None:
        self.first.start()
        self.first.wait_until_leading()
        self.second.start()
        eventually(lambda: self.second.get("/readyz").status_code == 200, "the second to stand by")
        assert not self.second.leading()

    def lease(self, api: Api) -> Object:
        name = f"text-to-image-operator-{self.account.class_name}"
        found: Object = api.get("leases", self.account.class_name, name)["spec"]
        return found


@pytest.fixture
def pair(make_account: Callable[[], OperatorAccount], crd: str) -> Iterator[Pair]:
    pair = Pair(make_account())
    pair.start()
    yield pair
    pair.first.send(signal.SIGCONT)
    pair.first.stop()
    pair.second.stop()


def test_a_leader_that_is_stopped_hands_over_at_once(pair: Pair, api: Api, namespace: str) -> None:
    began = time.monotonic()
    assert pair.first.stop(signal.SIGTERM) == 0
    eventually(pair.second.leading, "the second to lead")
    took = time.monotonic() - began

    Service(api, namespace, pair.account.class_name).create()
    Service(api, namespace, pair.account.class_name).ready()
    assert pair.lease(api)["holderIdentity"] == "second"
    assert took < LEASE_SECONDS / 2, "the lease ran out instead of being released"


def test_a_lease_that_somebody_wrote_on_is_released_too(pair: Pair, api: Api) -> None:
    name = f"text-to-image-operator-{pair.account.class_name}"
    renewed = pair.lease(api)["renewTime"]
    eventually(lambda: pair.lease(api)["renewTime"] != renewed, "a renewal, so that the next is two seconds away")
    api.patch("leases", pair.account.class_name, name, {"metadata": {"annotations": {"example.com/note": "x"}}})
    began = time.monotonic()
    assert pair.first.stop(signal.SIGTERM) == 0
    eventually(pair.second.leading, "the second to lead")
    assert time.monotonic() - began < LEASE_SECONDS / 2, "the lease ran out instead of being released"


def test_a_leader_that_is_killed_is_followed_when_its_lease_has_run_out(pair: Pair, api: Api, namespace: str) -> None:
    service = Service(api, namespace, pair.account.class_name)
    pair.first.stop(signal.SIGKILL)
    service.create()

    service.wait("Ready", "True", seconds=2 * LEASE_SECONDS)
    assert pair.second.leading()


def test_a_leader_that_was_frozen_writes_nothing_after_its_lease(
    pair: Pair, api: Api, namespace: str, cluster: Layout
) -> None:
    service = Service(api, namespace, pair.account.class_name)
    service.create()
    service.ready()
    offset = cluster.audit_log.stat().st_size
    pair.first.send(signal.SIGSTOP)
    service.edit(logging={"level": "DEBUG"})
    eventually(pair.second.leading, "the second to lead", seconds=2 * LEASE_SECONDS)
    taken = datetime.datetime.fromisoformat(pair.lease(api)["acquireTime"])
    service.edit(logging={"level": "ERROR"})
    pair.first.send(signal.SIGCONT)

    eventually(lambda: not pair.first.running(), "the first to give up")
    service.ready()
    eventually(lambda: service.events("Updated"), "the second to work")
    addresses = {}
    for entry in writes(cluster.audit_log, pair.account.username, offset):
        addresses.setdefault(entry["userAgent"], []).append(entry)
    late = [
        (entry["verb"], entry["objectRef"])
        for entry in addresses.get(pair.first.user_agent, [])
        if datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"]) > taken
    ]
    assert late == []
    assert addresses[pair.second.user_agent]


def test_a_lease_that_another_takes_ends_the_process(pair: Pair, api: Api) -> None:
    name = f"text-to-image-operator-{pair.account.class_name}"
    theft = {"spec": {"holderIdentity": "thief", "renewTime": "2026-01-01T00:00:00.000000Z"}}
    api.patch("leases", pair.account.class_name, name, theft)

    eventually(lambda: not pair.first.running(), "the first to give up")
    assert "is held by another" in pair.first.log.read_text()
