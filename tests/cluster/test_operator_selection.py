"""Who selects what is made for them, on the Prometheus Operator's own CRDs, without a Prometheus or an Alertmanager."""

from collections.abc import Callable, Iterator

import pytest
from aiohttp import web

from tests.api import Api, Object
from tests.cluster.forwarder import ThreadedForwarder
from tests.cluster.mail import MAIL, make_login
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service, running
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

GROUP = "/apis/monitoring.coreos.com/"
METRICS = {"monitoring": {**UNOBSERVED, "metrics": {"labels": {"release": "mine"}}}}
PLURALS = {
    "Prometheus": "prometheuses",
    "PrometheusAgent": "prometheusagents",
    "ThanosRuler": "thanosrulers",
    "Alertmanager": "alertmanagers",
}
MINE, THEIRS = ({"matchLabels": {"release": release}} for release in ("mine", "theirs"))
pytestmark = pytest.mark.usefixtures("prometheus_operator_crds")


class Narrow(ThreadedForwarder):
    """Shows of what selects that which is in one namespace: the cluster's own stack selects everything."""

    namespace = ""

    def target(self, request: web.Request) -> str:
        """Ask for that of the namespace in the place of all."""
        root, _, plural = request.path.rpartition("/")
        if root.startswith(GROUP) and plural in PLURALS.values() and "/namespaces/" not in root:
            return f"{root}/namespaces/{self.namespace}/{plural}?{request.query_string}"
        return super().target(request)


@pytest.fixture(scope="module")
def way(make_account: Callable[[], OperatorAccount]) -> Iterator[tuple[Narrow, OperatorAccount]]:
    account = make_account()
    way = Narrow(account.kubeconfig)
    yield way, account._replace(kubeconfig=way.kubeconfig)
    way.close()


@pytest.fixture(scope="module")
def operator(way: tuple[Narrow, OperatorAccount], crd: str) -> Iterator[OperatorProcess]:
    """Run one that sees no more of the cluster's stack than of one that nobody has installed."""
    yield from running(way[1].process("narrow", poll_seconds=2))


@pytest.fixture
def namespace(namespace: str, way: tuple[Narrow, OperatorAccount]) -> str:
    way[0].namespace = namespace
    return namespace


@pytest.fixture
def select(api: Api, namespace: str) -> Callable[[str], None]:
    """Make or change a Prometheus that selects ServiceMonitors of its own namespace by the label `release`."""
    return lambda release: apply(
        api, namespace, "Prometheus", serviceMonitorSelector={"matchLabels": {"release": release}}
    )


def test_why_is_my_service_monitor_not_selected(service: Service, select: Callable[[str], None]) -> None:
    ours = f"Prometheus {service.namespace}/main"
    select("mine")
    service.create(**METRICS)
    selected = service.wait("MetricsReady", "True", "Selected", seconds=60)
    assert selected["message"].endswith(f": {ours} selects it")

    select("theirs")
    refused = service.wait("MetricsReady", "False", "NotSelected")
    advice = f": {ours} selects only release=theirs: set spec.monitoring.metrics.labels to match"
    assert refused["message"].endswith(advice)
    service.wait("Monitored", "False", "NotSelected")
    service.ready()

    service.edit(monitoring={"metrics": {"labels": {"release": "theirs"}}})
    service.wait("MetricsReady", "True", "Selected")


def test_where_nobody_selects_anything_it_is_said_that_one_has_to_be_made(service: Service, api: Api) -> None:
    service.create(**METRICS)
    nobody = "the cluster has no Prometheus or PrometheusAgent object that could select it; make one"
    eventually(lambda: told(service).endswith(nobody), "that nobody is there to be said", seconds=60)
    service.wait("MetricsReady", "False", "NotSelected")

    apply(api, service.namespace, "Prometheus", podMonitorSelector=MINE)
    deaf = f"Prometheus {service.namespace}/main selects no ServiceMonitor at all"
    eventually(lambda: told(service).endswith(deaf), "it to be named")
    service.wait("MetricsReady", "False", "NotSelected")


def test_an_alertmanager_that_no_longer_takes_the_receivers_in_is_found(service: Service, api: Api) -> None:
    make_login(api, service.namespace)
    apply(api, service.namespace, "Prometheus", ruleSelector={})
    apply(api, service.namespace, "Alertmanager", alertmanagerConfigSelector={})
    service.create(monitoring={**UNOBSERVED, "alerts": {"receivers": [MAIL]}})
    ours = f"Alertmanager {service.namespace}/main"
    service.wait("AlertsReady", "True", "Selected", seconds=60)
    assert f"{ours} selects it" in told(service, "AlertsReady")

    apply(api, service.namespace, "Alertmanager", alertmanagerConfigSelector={"matchLabels": {"team": "theirs"}})
    refused = service.wait("AlertsReady", "False", "NotSelected")
    assert f"{ours} selects only team=theirs: set spec.monitoring.alerts.labels to match" in refused["message"]
    service.ready()


@pytest.mark.parametrize(
    ("kind", "selector", "block"),
    [("PrometheusAgent", "serviceMonitorSelector", "metrics"), ("ThanosRuler", "ruleSelector", "alerts")],
)
def test_others_than_a_prometheus_select_too(service: Service, api: Api, kind: str, selector: str, block: str) -> None:
    ours, condition = f"{kind} {service.namespace}/main", f"{block.capitalize()}Ready"
    apply(api, service.namespace, kind, **{selector: MINE})
    service.create(monitoring={**UNOBSERVED, block: {"labels": {"release": "mine"}}})
    service.wait(condition, "True", "Selected", seconds=60)
    assert f"{ours} selects it" in told(service, condition)

    apply(api, service.namespace, kind, **{selector: THEIRS})
    advice = f"{ours} selects only release=theirs: set spec.monitoring.{block}.labels to match"
    assert advice in service.wait(condition, "False", "NotSelected")["message"]


def apply(api: Api, namespace: str, kind: str, **selectors: Object) -> None:
    """Make or change one that has no pods."""
    path = api.path(PLURALS[kind], namespace, "main")
    api_version = path.removeprefix("/apis/").partition("/namespaces/")[0]
    wanted = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "main"},
        "spec": {"replicas": 0, **selectors},
    }
    api.apply(path, wanted)


def told(service: Service, condition: str = "MetricsReady") -> str:
    return str(service.conditions()[condition]["message"])
