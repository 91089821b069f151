"""Two replicas and one Lease: one writes at a time, and the other is there in time."""

import contextlib
import datetime
import itertools
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from dev.cluster.paths import Layout
from tests.api import Api, Object
from tests.cluster.fault_proxy import FROZEN, SILENT, FaultProxy, only
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric, writes
from tests.waiting import eventually

LEASE_SECONDS, RENEW_DEADLINE_SECONDS = 15.0, 10.0
TAKEN_OVER_SECONDS = 25.0  # the lease and two turns of who waits; the rest for processes that stand still
ON_THE_WAY_SECONDS = 1.0  # from the start of a write to its entry in the audit log, and the other way round
REFUSED, LEADS = 't2i_operator_reconciles_total{result="not_leading"}', "t2i_operator_leader"


class Pace:
    """How long the machine stood still at worst: what a replica does may be as late as a turn of the test's loop."""

    def __init__(self) -> None:
        self.longest, self._at = 0.0, time.monotonic()

    def turn(self) -> None:
        now = time.monotonic()
        self.longest, self._at = max(self.longest, now - self._at), now


class Pair:
    """The one that leads, on a way of its own if need be, and the one that stands by."""

    def __init__(self, account: OperatorAccount, way: Path | None = None) -> None:
        self.account = account
        self.first = account._replace(kubeconfig=way or account.kubeconfig).process("first")
        self.second = account.process("second")

    def start(self) -> None:
        self.first.start()
        self.first.wait_until_leading()
        self.second.start()
        eventually(lambda: self.second.get("/readyz").status_code == 200, "the second to stand by")
        assert not self.second.leading()
        assert self.leads() == [1.0, 0.0]

    def leads(self) -> list[float]:
        """Return what the metrics of those that run say of who leads."""
        return [metric(each, LEADS) for each in (self.first, self.second) if each.running()]

    def stop(self) -> None:
        self.first.send(signal.SIGCONT)
        self.first.stop()
        self.second.stop()

    def lease(self, api: Api) -> Object:
        return lease(api, self.account)

    def holders_since(self, api: Api, version: str) -> list[str]:
        """Return who has held the lease since then, one after the other; nobody is empty."""
        events = api.events_since(version, "leases", self.account.class_name)
        return [
            who for who, _ in itertools.groupby(each["object"]["spec"].get("holderIdentity", "") for each in events)
        ]

    def taken_over_at(self, api: Api) -> datetime.datetime:
        """Return when the second took the lease, which the first has no more."""
        assert self.lease(api)["holderIdentity"] == "second"
        return datetime.datetime.fromisoformat(self.lease(api)["acquireTime"])

    def written(self, audit_log: Path, since: int) -> dict[str, list[Object]]:
        """Return what each has written since an offset into the audit log, by the name that it gives itself there."""
        found = defaultdict(list)
        for entry in writes(audit_log, self.account.username, since):
            found[entry["userAgent"]].append(entry)
        return found


def lease(api: Api, account: OperatorAccount) -> Object:
    found: Object = api.get("leases", account.class_name, f"text-to-image-operator-{account.class_name}")["spec"]
    return found


@pytest.fixture
def pair(make_account: Callable[[], OperatorAccount], crd: str) -> Iterator[Pair]:
    pair = Pair(make_account())
    pair.start()
    yield pair
    pair.stop()


def test_a_leader_that_is_stopped_hands_over_at_once(pair: Pair, api: Api, namespace: str) -> None:
    before = api.now("leases", pair.account.class_name)
    assert pair.first.stop(signal.SIGTERM) == 0
    eventually(pair.second.leading, "the second to lead")
    assert pair.holders_since(api, before)[-2:] == ["", "second"], "the lease ran out instead of being released"
    assert pair.leads() == [1.0]

    Service(api, namespace, pair.account.class_name).create()
    Service(api, namespace, pair.account.class_name).ready()
    assert pair.lease(api)["holderIdentity"] == "second"


def test_a_lease_that_somebody_wrote_on_is_released_too(pair: Pair, api: Api) -> None:
    name = f"text-to-image-operator-{pair.account.class_name}"
    renewed = pair.lease(api)["renewTime"]
    eventually(lambda: pair.lease(api)["renewTime"] != renewed, "a renewal, so that the next is two seconds away")
    api.patch("leases", pair.account.class_name, name, {"metadata": {"annotations": {"example.com/note": "x"}}})
    before = api.now("leases", pair.account.class_name)
    assert pair.first.stop(signal.SIGTERM) == 0
    eventually(pair.second.leading, "the second to lead")
    assert pair.holders_since(api, before)[-2:] == ["", "second"], "the lease ran out instead of being released"


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
    service.told("Ready")  # the last that it writes: frozen between a look at the lease and a write, it would go on
    offset = cluster.audit_log.stat().st_size
    pair.first.send(signal.SIGSTOP)
    service.edit(logging={"level": "DEBUG"})
    eventually(pair.second.leading, "the second to lead", seconds=2 * LEASE_SECONDS)
    taken = pair.taken_over_at(api)
    service.edit(logging={"level": "ERROR"})
    pair.first.send(signal.SIGCONT)

    eventually(lambda: not pair.first.running(), "the first to give up")
    service.ready()
    eventually(lambda: service.events("Updated"), "the second to work")
    written = pair.written(cluster.audit_log, offset)
    assert _later(written[pair.first.user_agent], taken) == []
    assert written[pair.second.user_agent]


def test_a_leader_whose_connection_hangs_writes_nothing_after_its_lease_which_the_other_takes(
    make_account: Callable[[], OperatorAccount], crd: str, api: Api, namespace: str, cluster: Layout
) -> None:
    """What it was asked for before the connection hung, and what it hears once that works again, is for the other."""
    account = make_account()
    proxy = FaultProxy(account.kubeconfig)
    pair = Pair(account, proxy.kubeconfig)
    try:
        pair.start()
        service = Service(api, namespace, account.class_name)
        service.create()
        service.ready()
        offset = cluster.audit_log.stat().st_size
        service.edit(logging={"level": "DEBUG"})
        proxy.freeze()
        frozen, pace = time.monotonic(), Pace()

        def taken_over() -> bool:
            pace.turn()
            return pair.second.leading()

        eventually(taken_over, "the second to lead", seconds=2 * LEASE_SECONDS)
        assert time.monotonic() - frozen < TAKEN_OVER_SECONDS + pace.longest
        taken = pair.taken_over_at(api)
        proxy.heal()
        service.edit(logging={"level": "ERROR"})

        service.ready()
        eventually(lambda: not pair.first.running(), "the first to give up")
        assert proxy.felt[FROZEN]
        assert pair.first.stop() == 1
        assert pair.first.events("was not renewed in time")
        written = pair.written(cluster.audit_log, offset)
        assert _later(written[pair.first.user_agent], taken) == []
        assert _later(written[pair.second.user_agent], taken)
    finally:
        pair.stop()
        proxy.close()


def _later(entries: list[Object], than: datetime.datetime) -> list[tuple[str, Object]]:
    """Return what of it the API server received later."""
    return [
        (entry["verb"], entry["objectRef"])
        for entry in entries
        if datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"]) > than
    ]


class Hushed(NamedTuple):
    """A leader that can be kept from renewing its lease, and from nothing else."""

    account: OperatorAccount
    operator: OperatorProcess
    proxy: FaultProxy


@pytest.fixture
def hushed(make_account: Callable[[], OperatorAccount], crd: str) -> Iterator[Hushed]:
    account = make_account()
    proxy = FaultProxy(account.kubeconfig)
    operator = account._replace(kubeconfig=proxy.kubeconfig).process("hushed")
    operator.start()
    operator.wait_until_leading()
    yield Hushed(account, operator, proxy)
    operator.stop()
    proxy.close()


def test_a_leader_that_cannot_renew_writes_nothing_after_its_deadline_though_it_runs_on(
    hushed: Hushed, api: Api, namespace: str, cluster: Layout
) -> None:
    """No race with the end of the process: it waits for an answer to its renewal for seconds after the deadline."""
    account, operator, proxy = hushed
    service = Service(api, namespace, account.class_name)
    service.create()
    service.ready()
    proxy.spoil(only("/leases/", SILENT))
    offset, refused = cluster.audit_log.stat().st_size, [0.0]
    levels, pace = itertools.cycle(["DEBUG", "INFO"]), Pace()

    def given_up() -> bool:
        pace.turn()
        service.edit(logging={"level": next(levels)})
        with contextlib.suppress(httpx.TransportError):
            refused.append(metric(operator, REFUSED))
        return not operator.running()

    eventually(given_up, "the leader to give up", seconds=2 * LEASE_SECONDS)
    renewed = datetime.datetime.fromisoformat(lease(api, account)["renewTime"])
    ages = [
        (datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"]) - renewed).total_seconds()
        for entry in writes(cluster.audit_log, account.username, offset)
    ]
    late = ON_THE_WAY_SECONDS + pace.longest
    assert [age for age in ages if age > RENEW_DEADLINE_SECONDS + late] == []
    assert max(ages) > RENEW_DEADLINE_SECONDS - ON_THE_WAY_SECONDS - late, "it wrote as long as it might"
    assert refused[-1] > 0, "it had something to write when it no longer might"


def test_a_lease_that_another_takes_ends_the_process(pair: Pair, api: Api) -> None:
    name = f"text-to-image-operator-{pair.account.class_name}"
    theft = {"spec": {"holderIdentity": "thief", "renewTime": "2026-01-01T00:00:00.000000Z"}}
    api.patch("leases", pair.account.class_name, name, theft)

    eventually(lambda: not pair.first.running(), "the first to give up")
    assert pair.first.events("is held by another")
