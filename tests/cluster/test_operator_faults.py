"""What goes wrong between the operator and the API server: what was asked for meanwhile is done once it is over."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families
from t2i_operator.runtime.health import STREAM_LIMIT_SECONDS

from tests.api import Api, Object
from tests.cluster import fault_proxy
from tests.cluster.fault_proxy import CUT, HUNG, FaultProxy
from tests.cluster.forwarder import is_watch
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(900)

SERVICES = 100
CATCH_UP_SECONDS = 60.0  # asked once a second: seven lists of a hundred objects at a time take the operator's processor
# Long enough that what is retried is refused several times over.
FAULT_SECONDS = 8.0
# What each turn takes from every resource: who deletes the same object three times in five minutes is given way to.
TAKEN = (
    *(("serviceaccounts", ""), ("services", "-service"), ("deployments", ""), ("secrets", "-keys")),
    ("configmaps", "-config"),
)

# Whose watches are broken for good, though lists of the same work: a stream of ours, and Kopf's.
DEAF = ("poddisruptionbudgets", "texttoimageservices")
# Each by one of these: refused, or agreed to and ended at once.
DEAFENING = (fault_proxy.BROKEN, fault_proxy.FAILED)
WATCH_AGE = "t2i_operator_watch_age_seconds"


class Way(NamedTuple):
    """An operator, the spoiled way from it to the API server, and the resources it looks after."""

    proxy: FaultProxy
    account: OperatorAccount
    operator: OperatorProcess
    api: Api
    namespace: str

    def services(self) -> dict[str, Object]:
        return self._all("texttoimageservices")

    def restart(self) -> None:
        """Come back as a pod does: on the same port, with nothing in memory."""
        self.operator.stop(signal.SIGKILL)
        self.operator.start()

    def hang(self) -> None:
        """Have the connections die of streams that have just begun: so long may they be silent as they ever may."""
        streams = self.proxy.streams()
        self.proxy.cut()
        eventually(lambda: self.proxy.streams() >= streams, "every stream to be taken up again")
        self.proxy.hang()

    def edit(self, mark: str, turn: int) -> None:
        """Change every resource, and take something from each that has to be put back."""
        plural, suffix = TAKEN[turn % len(TAKEN)]
        for name in [f"s{number}" for number in range(SERVICES)]:
            service = Service(self.api, self.namespace, self.operator.class_name, name)
            service.edit(podTemplate=_marked(mark))
            self.api.delete(plural, self.namespace, f"{name}{suffix}", propagationPolicy="Background")

    def caught_up(self, mark: str) -> bool:
        """Tell whether every object matches the last spec, and every status says so."""
        services, deployments = self.services(), self._all("deployments")
        children = {plural: self._all(plural) for plural, _ in TAKEN}
        for name, service in services.items():
            template = deployments[name]["spec"]["template"]
            assert template["metadata"]["annotations"].get("example.com/mark") == mark, name
            assert all(f"{name}{suffix}" in children[plural] for plural, suffix in TAKEN), name
            assert service["status"]["observedGeneration"] == service["metadata"]["generation"], name
            conditions = {each["type"]: each for each in service["status"]["conditions"]}
            assert conditions["Ready"]["status"] == "True", conditions["Ready"]
            assert conditions["Ready"]["observedGeneration"] == service["metadata"]["generation"], name
        return len(services) == SERVICES

    def _all(self, plural: str) -> dict[str, Object]:
        return {each["metadata"]["name"]: each for each in self.api.list(plural, self.namespace)}


@pytest.fixture
def way(hundred: Way) -> Iterator[Way]:
    """Give each test a way that is whole, and make it so again, whatever became of the test."""
    yield hundred
    hundred.proxy.heal()


@pytest.fixture(scope="module")
def hundred(api: Api, crd: str, make_account: Callable[[], OperatorAccount]) -> Iterator[Way]:
    """Run an operator that reaches the API server through the proxy only, and a hundred resources."""
    account = make_account()
    proxy = FaultProxy(account.kubeconfig)
    account = account._replace(kubeconfig=proxy.kubeconfig)
    operator = account.process("spoiled", namespaces=account.class_name, leader_election=False)
    operator.start()
    way = Way(proxy, account, operator, api, account.class_name)
    for number in range(SERVICES):
        Service(api, way.namespace, account.class_name, f"s{number}").create(podTemplate=_marked("none"))
    eventually(lambda: way.caught_up("none"), "a hundred resources", seconds=300, every=1)
    yield way
    operator.stop()
    api.request("DELETE", api.path("texttoimageservices", way.namespace))
    eventually(lambda: not way.services(), "the resources to go")
    proxy.close()


@pytest.fixture(scope="module", autouse=True)
def deaf(crd: str, make_account: Callable[[], OperatorAccount]) -> Iterator[dict[str, OperatorProcess]]:
    """Run operators with streams that cannot be restored; the minutes until that shows pass in the other tests."""
    with ExitStack() as stack:
        yield {fault.name: stack.enter_context(_deaf(make_account(), fault)) for fault in DEAFENING}


@contextmanager
def _deaf(account: OperatorAccount, fault: fault_proxy.Fault) -> Iterator[OperatorProcess]:
    proxy = FaultProxy(account.kubeconfig)
    operator = account._replace(kubeconfig=proxy.kubeconfig).process(
        "deaf", namespaces=account.class_name, leader_election=False
    )
    operator.start()
    eventually(lambda: operator.get("/readyz").status_code == 200, "every stream to be there")
    proxy.spoil(fault._replace(concerns=lambda request: request.path.endswith(DEAF) and is_watch(request)))
    yield operator
    operator.stop()
    proxy.close()


def _spoil(fault: fault_proxy.Fault) -> Callable[[Way], None]:
    return lambda way: way.proxy.spoil(fault)


def _expire_pages(way: Way) -> None:
    """Have a process begin meanwhile: only lists have a next page."""
    way.proxy.spoil(fault_proxy.EXPIRED)
    way.restart()


FAULTS: dict[str, Callable[[Way], None]] = {
    "restart": lambda way: way.restart(),
    CUT: lambda way: way.proxy.cut(),
    **{fault.name: _spoil(fault) for fault in (fault_proxy.GONE, fault_proxy.OVERLOADED, fault_proxy.BROKEN)},
    # Takes ServiceAccounts, which no edit writes anew: that one is gone is heard on its own stream alone.
    HUNG: lambda way: way.hang(),
    **{fault.name: _spoil(fault) for fault in (fault_proxy.CONFLICTING, fault_proxy.SLOW, fault_proxy.FAILED)},
    fault_proxy.EXPIRED.name: _expire_pages,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hundred_edits_during_a_fault_are_followed_within_a_minute_of_its_end(way: Way, fault: str) -> None:
    felt = way.proxy.felt[fault]
    FAULTS[fault](way)
    began = time.monotonic()
    way.edit(fault, list(FAULTS).index(fault))
    eventually(lambda: fault == "restart" or way.proxy.felt[fault] > felt, "the operator to meet the fault")
    way.proxy.cut()  # in the middle of what the edits made it do
    time.sleep(max(0.0, FAULT_SECONDS - (time.monotonic() - began)))
    assert way.operator.running()
    eventually(lambda: way.operator.get("/healthz").status_code == 200, "liveness to be green")
    way.proxy.heal()

    eventually(lambda: way.caught_up(fault), "a hundred resources to catch up", seconds=CATCH_UP_SECONDS, every=1)
    bugs = way.operator.events("by a bug")
    assert not bugs, bugs[0]


def test_a_fault_that_passes_lowers_no_condition(way: Way) -> None:
    """What the API server cannot answer for a while says nothing about pods that run."""
    before = {name: _since(service, "Ready") for name, service in way.services().items()}
    broken = fault_proxy.only(
        "/configmaps/", fault_proxy.BROKEN
    )  # each by its name: the stream tells, and all else is answered
    felt = way.proxy.felt[broken.name]
    way.proxy.spoil(broken)
    for name in before:
        way.api.delete("configmaps", way.namespace, f"{name}-config")
    eventually(
        lambda: way.proxy.felt[broken.name] - felt >= 2 * SERVICES,
        "a hundred refusals, and those of the next attempts",
        seconds=120,
    )
    way.proxy.heal()

    configs = f"{way.namespace}'s ConfigMaps"
    eventually(lambda: len(way.api.list("configmaps", way.namespace)) > SERVICES, configs, seconds=60)
    assert {name: _since(service, "Ready") for name, service in way.services().items()} == before


class Kubelet:
    """Keeps two replicas running as a kubelet does: at once the first time, then ever later."""

    def __init__(self, replicas: list[OperatorProcess]) -> None:
        self.replicas = replicas
        self.restarts = 0
        self._ended_at: dict[str, float] = {}
        self._backoff_seconds = dict.fromkeys((each.user_agent for each in replicas), 0.0)

    def look(self) -> bool:
        """Start again what has ended, when its time has come; true for the sake of what is waited for beside it."""
        for each in self.replicas:
            name, now = each.user_agent, time.monotonic()
            if each.running():
                self._ended_at.pop(name, None)
            elif now - self._ended_at.setdefault(name, now) >= self._backoff_seconds[name]:
                each.start()
                self.restarts += 1
                self._backoff_seconds[name] = max(10.0, 2 * self._backoff_seconds[name])
        return True

    def lost(self) -> int:
        """Count how often one of them has ended because it could not keep its Lease."""
        return sum(len(each.events("was not renewed in time")) for each in self.replicas)

    def lives(self) -> bool:
        """Ask both as a probe does."""
        return all(each.get("/healthz").status_code == 200 for each in self.replicas)


@pytest.fixture
def kubelet(way: Way) -> Iterator[Kubelet]:
    """Have the hundred looked after as the manifests do it: by two replicas and their Lease."""
    way.operator.stop()
    replicas = [way.account.process(name, namespaces=way.namespace) for name in ("first", "second")]
    for each in replicas:
        each.start()
    eventually(lambda: any(each.leading() for each in replicas), "one of them to lead")
    yield Kubelet(replicas)
    way.proxy.heal()
    for each in replicas:
        each.stop()
    way.operator.start()


def test_a_fault_that_outlasts_the_lease_is_caught_up_with_by_replicas_that_are_started_again(
    way: Way, kubelet: Kubelet
) -> None:
    """The leader has to give up in the middle of a hundred edits; it, or the other, follows them after the fault."""
    way.proxy.spoil(fault_proxy.BROKEN)
    way.edit("leased", len(FAULTS))
    eventually(lambda: kubelet.look() and kubelet.lost(), "the leader to give up", seconds=40)
    eventually(lambda: kubelet.look() and kubelet.restarts and kubelet.lives(), "both to live through what lasts")
    way.proxy.heal()

    followed = "a hundred resources to catch up"
    eventually(lambda: kubelet.look() and way.caught_up("leased"), followed, seconds=CATCH_UP_SECONDS, every=1)
    assert kubelet.restarts <= kubelet.lost(), "one of them has ended of something else"
    for each in kubelet.replicas:
        assert not each.events("by a bug")


@pytest.mark.parametrize("fault", [fault.name for fault in DEAFENING])
def test_streams_that_cannot_be_restored_turn_liveness_red_by_name(
    deaf: dict[str, OperatorProcess], fault: str
) -> None:
    """One of our own and the one that is Kopf's, whose watcher dies alone and leaves a process that looks well."""

    def silent() -> set[str]:
        health = deaf[fault].get("/healthz")
        assert health.status_code == (503 if health.json()["silent"] else 200)
        return {name.partition("@")[0] for name in health.json()["silent"]}

    eventually(lambda: silent() == set(DEAF), "liveness to turn red", seconds=240)
    eventually(lambda: _unheard(deaf[fault]) == set(DEAF), "the metric that the alert asks to say so of the same")


def _unheard(operator: OperatorProcess) -> set[str]:
    families = text_string_to_metric_families(operator.get("/metrics").text)
    ages = [sample for family in families for sample in family.samples if sample.name == WATCH_AGE]
    return {each.labels["stream"].partition("@")[0] for each in ages if each.value > STREAM_LIMIT_SECONDS}


def _marked(mark: str) -> Object:
    return {"metadata": {"annotations": {"example.com/mark": mark}}}


def _since(service: Object, condition: str) -> tuple[str, str]:
    (found,) = [each for each in service["status"]["conditions"] if each["type"] == condition]
    return found["status"], found["lastTransitionTime"]
