"""Who selects what is made for them, on the Prometheus Operator's own CRDs, without a Prometheus or an Alertmanager."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import Api, Object, eventually
from tests.cluster.mail import MAIL, make_login
from tests.cluster.operators import UNOBSERVED, Service

METRICS = {"monitoring": {**UNOBSERVED, "metrics": {"labels": {"release": "mine"}}}}
PLURALS = {
    "Prometheus": "prometheuses",
    "PrometheusAgent": "prometheusagents",
    "ThanosRuler": "thanosrulers",
    "Alertmanager": "alertmanagers",
}
MINE, THEIRS = ({"matchLabels": {"release": release}} for release in ("mine", "theirs"))
pytestmark = pytest.mark.usefixtures("prometheus_operator_crds")


@pytest.fixture
def namespace(kubectl: Callable[..., str]) -> Iterator[str]:
    """Make one whose Prometheus comes before the stack's, which selects everything: the first in order is named."""
    name = f"early-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def select(api: Api, namespace: str) -> Callable[[str], None]:
    """Make or change a Prometheus that selects ServiceMonitors of its own namespace by the label `release`."""
    return lambda release: apply(
        api, namespace, "Prometheus", serviceMonitorSelector={"matchLabels": {"release": release}}
    )


def test_a_prometheus_that_no_longer_selects_is_found(
    service: Service, select: Callable[[str], None], api: Api
) -> None:
    others = api.request("GET", "/apis/monitoring.coreos.com/v1/prometheuses")["items"]
    expected = ("True", "Selected") if others else ("False", "NotSelected")
    ours = f"Prometheus {service.namespace}/main"
    select("mine")
    service.create(**METRICS)
    eventually(lambda: f"{ours} selects it" in told(service), "our Prometheus to select it", seconds=60)

    select("theirs")
    eventually(lambda: f"{ours} selects it" not in told(service), "the change to be found")
    service.wait("MetricsReady", *expected)
    assert others or f"{ours} selects release=theirs" in told(service)
    service.ready()
    select("mine")
    eventually(lambda: f"{ours} selects it" in told(service), "the change back to be found")


def test_an_alertmanager_that_no_longer_takes_the_receivers_in_is_found(service: Service, api: Api) -> None:
    others = api.request("GET", "/apis/monitoring.coreos.com/v1/alertmanagers")["items"]
    expected = ("True", "Selected") if others else ("False", "NotSelected")
    make_login(api, service.namespace)
    apply(api, service.namespace, "Prometheus", ruleSelector={})
    apply(api, service.namespace, "Alertmanager", alertmanagerConfigSelector={})
    service.create(monitoring={**UNOBSERVED, "alerts": {"receivers": [MAIL]}})
    ours = f"Alertmanager {service.namespace}/main"
    taken_in = f"{ours} selects it"
    eventually(lambda: taken_in in told(service, "AlertsReady"), "our Alertmanager to take them in", seconds=60)
    service.wait("AlertsReady", "True", "Selected")

    apply(api, service.namespace, "Alertmanager", alertmanagerConfigSelector={"matchLabels": {"team": "theirs"}})
    eventually(lambda: taken_in not in told(service, "AlertsReady"), "the change to be found")
    service.wait("AlertsReady", *expected)
    advice = f"{ours} selects team=theirs: set spec.monitoring.alerts.labels so"
    assert others or advice in told(service, "AlertsReady")
    service.ready()


@pytest.mark.parametrize(
    ("kind", "selector", "block"),
    [("PrometheusAgent", "serviceMonitorSelector", "metrics"), ("ThanosRuler", "ruleSelector", "alerts")],
)
def test_others_than_a_prometheus_select_too(service: Service, api: Api, kind: str, selector: str, block: str) -> None:
    others = api.request("GET", "/apis/monitoring.coreos.com/v1/prometheuses")["items"]
    ours, condition = f"{kind} {service.namespace}/main", f"{block.capitalize()}Ready"
    apply(api, service.namespace, kind, **{selector: MINE})
    service.create(monitoring={**UNOBSERVED, block: {"labels": {"release": "mine"}}})
    service.wait(condition, "True", "Selected", seconds=60)
    assert others or f"{ours} selects it" in told(service, condition)

    apply(api, service.namespace, kind, **{selector: THEIRS})
    eventually(lambda: others or f"{ours} selects release=theirs" in told(service, condition), "the change to be found")


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
    api.request("PATCH", path, wanted, "application/apply-patch+yaml", fieldManager="test")


def told(service: Service, condition: str = "MetricsReady") -> str:
    return str(service.conditions()[condition]["message"])
