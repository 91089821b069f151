"""The Prometheus Operator's kinds, which come and go as one operator sees it: the cluster's own stack needs them.

Its way to the API server hides them, as an API server does whose CustomResourceDefinitions are gone, and the test
takes away the objects that would go with them.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from t2i_operator.kube.kinds import (
    ALERTMANAGER,
    ALERTMANAGER_CONFIG,
    PROMETHEUS,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    Kind,
)

from tests.api import Api, Object
from tests.cluster.fault_proxy import BROKEN, NOT_SERVED, FaultProxy, only
from tests.cluster.mail import MAIL, make_login
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, metric
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

GROUP = "/apis/monitoring.coreos.com/"
OBSERVED: Object = {
    **UNOBSERVED,
    "metrics": {"mode": "Managed"},
    "alerts": {"mode": "Managed", "receivers": [MAIL]},
}
# Each kind with the end of its object's name, the condition that it counts for, and the one that it does not.
KINDS = {
    SERVICE_MONITOR: ("-monitor", "MetricsReady", "AlertsReady"),
    PROMETHEUS_RULE: ("-alerts", "AlertsReady", "MetricsReady"),
    ALERTMANAGER_CONFIG: ("-alerts", "AlertsReady", "MetricsReady"),
}
SELECTING = {
    PROMETHEUS: ("serviceMonitorSelector", "ruleSelector"),
    ALERTMANAGER: ("alertmanagerConfigSelector",),
}
MISSING = "PrometheusOperatorMissing"
# Every two seconds the operator renews its Lease: a clock that runs as slowly as the machine does.
RENEWALS = 6


class CountingProxy(FaultProxy):
    """Counts every request by its path, also those that are answered here."""

    def __init__(self, kubeconfig: Path) -> None:
        self.asked: Counter[str] = Counter()
        super().__init__(kubeconfig)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Count it first."""
        self.asked["Lease" if "/leases/" in request.path else request.path] += 1
        return await super().answer(request)


class Scene(NamedTuple):
    """An operator, its way to the API server, and a service of its that is observed."""

    way: CountingProxy
    operator: OperatorProcess
    service: Service

    def hide(self, path: str, *kinds: Kind) -> None:
        """Let nothing with this in its path be served, and nothing of these kinds be left."""
        self.way.spoil(only(path, NOT_SERVED))
        for kind in kinds:
            self.service.api.request("DELETE", kind.path(self.service.namespace))

    def missing(self, kind: Kind) -> None:
        """Wait until the condition says which kind it is."""
        _, condition, _ = KINDS[kind]
        sentence = f"the cluster knows no {kind.name}: install the Prometheus Operator"
        eventually(lambda: sentence in self.service.wait(condition, "False", MISSING)["message"], sentence)

    def uid(self, kind: Kind) -> str:
        """Return which object there is of a kind, by what no other has."""
        uid: str = self.service.child(kind.plural, KINDS[kind][0])["metadata"]["uid"]
        return uid

    def in_place(self) -> None:
        """Wait until everything is made, and selected."""
        for kind, (suffix, condition, _) in KINDS.items():
            self.service.wait(condition, "True", "Selected")
            assert self.service.child(kind.plural, suffix)


@pytest.fixture(scope="module")
def scene(
    api: Api, crd: str, prometheus_operator_crds: None, make_account: Callable[[], OperatorAccount]
) -> Iterator[Scene]:
    """Begin without the kinds; a Prometheus and an Alertmanager that nobody runs select everything of the namespace."""
    account = make_account()
    way = CountingProxy(account.kubeconfig)
    operator = account._replace(kubeconfig=way.kubeconfig).process("hidden")
    scene = Scene(way, operator, Service(api, account.class_name, account.class_name))
    for kind, selectors in SELECTING.items():
        body = {"apiVersion": "monitoring.coreos.com/v1", "kind": kind.name, "metadata": {"name": "main"}}
        spec = {"paused": True, **{selector: {} for selector in selectors}}
        api.request("POST", kind.path(account.class_name), {**body, "spec": spec}, fieldManager="test")
    make_login(api, account.class_name)
    scene.hide(GROUP)
    operator.start()
    operator.wait_until_leading()
    scene.service.create(monitoring=OBSERVED)
    yield scene
    way.heal()
    api.delete("texttoimageservices", account.class_name, scene.service.name)
    assert operator.stop() == 0
    way.close()
    assert not operator.events("by a bug")


def test_its_kinds_are_found_when_they_come_and_missed_when_they_go(scene: Scene) -> None:
    service, process = scene.service, scene.operator.pid
    for again in (False, True):
        scene.hide(GROUP, *KINDS)
        for kind in (SERVICE_MONITOR, PROMETHEUS_RULE):
            scene.missing(kind)
        ready = service.ready()
        if not again:
            _asks_for_nothing_in_haste(scene)

        scene.way.heal()
        scene.in_place()
        assert service.conditions()["Ready"] == ready
    assert scene.operator.running()
    assert scene.operator.pid == process


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_one_of_them_is_missed_by_its_name_and_the_others_stay(scene: Scene, kind: Kind) -> None:
    scene.way.heal()
    scene.in_place()
    ready = scene.service.ready()

    scene.hide(f"/{kind.plural}", kind)
    scene.missing(kind)
    suffix, _, other = KINDS[kind]
    assert scene.service.conditions()[other]["status"] == "True"
    assert scene.service.conditions()["Ready"] == ready
    assert scene.service.api.find(kind.plural, scene.service.namespace, scene.service.name + suffix) is None

    scene.way.heal()
    scene.in_place()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.plural)
def test_what_was_only_out_of_sight_is_the_same_object_still(scene: Scene, kind: Kind) -> None:
    """As while a ClusterRoleBinding is made anew: what users added to the object must not be lost."""
    scene.way.heal()
    scene.in_place()
    before, deleted = scene.uid(kind), scene.service.events("Deleted")

    scene.hide(f"/{kind.plural}")
    scene.missing(kind)
    scene.way.heal()
    scene.in_place()
    assert scene.uid(kind) == before
    assert scene.service.events("Deleted") == deleted


def test_who_starts_while_one_of_them_cannot_be_listed_does_all_else(scene: Scene) -> None:
    """As while its conversion webhook is broken."""
    scene.way.heal()
    scene.in_place()
    before, operator = scene.uid(SERVICE_MONITOR), scene.operator

    scene.way.spoil(only("/servicemonitors", BROKEN))
    assert operator.stop() == 0
    operator.start()
    operator.wait_until_leading()
    told = scene.service.wait("MetricsReady", "Unknown", "NotVisible", seconds=60)
    assert "servicemonitors cannot be listed: etcdserver" in told["message"]
    assert scene.service.conditions()["AlertsReady"]["status"] == "True"
    assert operator.get("/readyz").status_code == 200

    scene.way.heal()
    scene.in_place()
    assert scene.uid(SERVICE_MONITOR) == before


def _asks_for_nothing_in_haste(scene: Scene) -> None:
    """See that nothing is asked for, and the service not looked at, more often than the Lease is renewed."""
    before, looks = scene.way.asked.copy(), _looks(scene.operator)

    def asked() -> Counter[str]:
        return scene.way.asked - before

    eventually(lambda: asked()["Lease"] >= RENEWALS, "the Lease to be renewed some times", seconds=60)
    often = asked()
    renewals = often.pop("Lease")
    assert max(often.values(), default=0) <= renewals, often
    assert _looks(scene.operator) - looks <= renewals


def _looks(operator: OperatorProcess) -> float:
    return sum(metric(operator, f't2i_operator_reconciles_total{{result="{each}"}}') for each in ("success", "error"))
