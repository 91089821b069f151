"""What is made of other products' kinds, which may come and go while the operator runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from t2i_operator.kube.kinds import GRAFANA_DASHBOARD, OPENTELEMETRY_COLLECTOR, Kind

from tests.api import Api, Object
from tests.cluster.goldens import all_taken_without_drift
from tests.cluster.operators import OperatorProcess, Service
from tests.cluster.products import (
    Product,
    condition,
    dashboards_shown,
    grafana_operator,
    opentelemetry_operator,
    pods_of_a_collector,
    show_dashboards,
)
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

CONFIG_MAPS: Object = {"mode": "Managed", "format": "ConfigMap", "labels": {"team": "images"}}
GRAFANA_DASHBOARDS: Object = {
    **CONFIG_MAPS,
    "format": "GrafanaDashboard",
    "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
}
# More often than what somebody else does is put up with.
SELECTED = ("one", "two", "three", "four")


class Asked(NamedTuple):
    """What a spec asks of a product, and what is said of it; the Gateway API has its test beside the other ways in."""

    product: Callable[[Api], Product]
    kind: Kind
    monitoring: Object
    condition: str
    missing: str
    run: Callable[[Service], None] = lambda _: None


ASKED = [
    Asked(
        grafana_operator,
        GRAFANA_DASHBOARD,
        {"dashboards": GRAFANA_DASHBOARDS},
        "DashboardsReady",
        "GrafanaOperatorMissing",
        show_dashboards,
    ),
    Asked(
        opentelemetry_operator,
        OPENTELEMETRY_COLLECTOR,
        {"tracing": {"mode": "Managed", "jaeger": {"format": "OpenTelemetryCollector"}}},
        "TracingReady",
        "OpenTelemetryOperatorMissing",
        lambda service: pods_of_a_collector(service, "1/1"),
    ),
]


@pytest.fixture
def product(asked: Asked, api: Api) -> Iterator[Product]:
    product = asked.product(api)
    product.remove()
    yield product
    product.remove()


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.kind.plural)
def test_a_product_is_found_when_it_comes_and_missed_when_it_goes(
    asked: Asked, product: Product, default_service: Service, default_operator: OperatorProcess
) -> None:
    service, operator, process = default_service, default_operator, default_operator.pid
    service.create(monitoring={**UNOBSERVED, **asked.monitoring})
    assert "install" in service.wait(asked.condition, "False", asked.missing)["message"]
    service.ready()

    product.install()
    asked.run(service)
    service.wait(asked.condition, "True", "InPlace")
    assert service.api.list(asked.kind.plural, service.namespace)

    product.remove()
    service.wait(asked.condition, "False", asked.missing)
    service.ready()

    product.install()
    asked.run(service)
    service.wait(asked.condition, "True", "InPlace")
    assert service.api.list(asked.kind.plural, service.namespace)
    assert operator.running()
    assert operator.pid == process


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.kind.plural)
def test_the_api_server_takes_the_golden_objects_and_no_drift_is_seen(
    asked: Asked, product: Product, api: Api, namespace: str
) -> None:
    product.install()
    all_taken_without_drift(api, namespace, asked.kind)


@pytest.mark.usefixtures("grafana")
def test_dashboards_change_their_form_without_a_moment_with_neither(service: Service) -> None:
    service.create(monitoring={**UNOBSERVED, "dashboards": CONFIG_MAPS})
    service.wait("DashboardsReady", "True", "InPlace")
    before = _dashboards(service, "configmaps")
    assert before

    _switch(service, "configmaps", "grafanadashboards", GRAFANA_DASHBOARDS)
    shown = _dashboards(service, "grafanadashboards")
    assert {name: each["spec"]["json"] for name, each in shown.items()} == _json(before)
    _switch(service, "grafanadashboards", "configmaps", CONFIG_MAPS)
    assert _json(_dashboards(service, "configmaps")) == _json(before)


def _switch(service: Service, old: str, new: str, dashboards: Object) -> None:
    """Ask for the other form, and see by the order of the API server's own record that none was missing meanwhile."""
    names = _dashboards(service, old).keys()
    since = {plural: service.api.now(plural, service.namespace) for plural in (old, new)}
    service.edit(monitoring={"dashboards": dashboards})
    if new == "grafanadashboards":
        message = service.wait("DashboardsReady", "Unknown", "Pending")["message"]
        assert all(f"ConfigMap {name}" in message for name in names)
        assert _dashboards(service, old).keys() == names, "no Grafana has the new ones yet"
        assert dashboards_shown(service) == len(names)
    eventually(lambda: not _dashboards(service, old), f"the {old} to be pruned")
    service.wait("DashboardsReady", "True", "InPlace")

    found = _dashboards(service, new)
    assert found.keys() == names
    made = _versions(service, new, since[new], "ADDED")
    gone = _versions(service, old, since[old], "DELETED")
    assert made.keys() == gone.keys() == names
    assert max(made.values()) < min(gone.values())
    for metadata in (each["metadata"] for each in found.values()):
        [owner] = metadata["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (service.live()["metadata"]["uid"], True)
        labels = {"team": "images", "app.kubernetes.io/instance": service.name}
        assert metadata["labels"].items() >= labels.items()


@pytest.mark.usefixtures("grafana")
def test_dashboards_get_another_selector_which_nobody_can_change_in_them(service: Service) -> None:
    service.create(monitoring={**UNOBSERVED, "dashboards": GRAFANA_DASHBOARDS})
    show_dashboards(service)
    for label in SELECTED:
        before = _dashboards(service, "grafanadashboards")
        _select(service, label)
        show_dashboards(service)
        after = _dashboards(service, "grafanadashboards")
        assert after.keys() == before.keys()
        for name, each in after.items():
            assert each["spec"]["instanceSelector"] == {"matchLabels": {"dashboards": label}}
            assert each["spec"]["json"] == before[name]["spec"]["json"]
            assert each["metadata"]["uid"] != before[name]["metadata"]["uid"]
    assert service.conditions()["Stalled"]["status"] == "False"


@pytest.mark.usefixtures("grafana")
def test_dashboards_that_no_grafana_shows_are_said_to_be_not_selected(service: Service) -> None:
    """The Grafana operator's words, written by the test."""
    service.create(monitoring={**UNOBSERVED, "dashboards": GRAFANA_DASHBOARDS})

    def untaken() -> bool:
        message: str = service.conditions()["DashboardsReady"]["message"]
        return "no Grafana has it yet" in message

    eventually(untaken, "it to be said that nobody has looked yet")
    show_dashboards(service)
    path = service.api.path("grafanadashboards", service.namespace, f"{service.name}-dashboard-models")
    for status in ("True", "False"):
        conditions = {"NoMatchingInstance": status, "DashboardSynchronized": "True"}
        body = {"status": {"conditions": [condition(name, each) for name, each in conditions.items()]}}
        service.api.request("PATCH", f"{path}/status", body, "application/merge-patch+json")
        expected = ("False", "NotSelected") if status == "True" else ("True", "InPlace")
        service.wait("DashboardsReady", *expected)
        service.ready()


@pytest.mark.usefixtures("grafana")
def test_a_dashboard_that_somebody_holds_is_waited_for(service: Service) -> None:
    service.create(networkPolicy={"mode": "Managed"}, monitoring={**UNOBSERVED, "dashboards": GRAFANA_DASHBOARDS})
    show_dashboards(service)
    assert service.child("networkpolicies")
    for label in SELECTED:
        with _held(service, f"{service.name}-dashboard-overview") as finalizer:
            _select(service, label, networkPolicy={"mode": "Disabled"})
            message = service.wait("DashboardsReady", "False", "Replacing")["message"]
            assert f"GrafanaDashboard {service.name}-dashboard-overview is made anew" in message
            assert finalizer in message
            service.ready()
            assert _selected(service, "models") == label, "the others are not held back"
        show_dashboards(service)
        assert _selected(service, "overview") == label
    eventually(
        lambda: service.api.find("networkpolicies", service.namespace, service.name) is None,
        "what is not wanted to be pruned",
    )


@contextmanager
def _held(service: Service, name: str) -> Iterator[str]:
    """Hold a dashboard as the Grafana operator does, until it is out of every Grafana."""
    finalizer = "example.com/held"

    def hold(*finalizers: str) -> None:
        body = {"metadata": {"finalizers": [*finalizers]}}
        service.api.patch("grafanadashboards", service.namespace, name, body)

    hold(finalizer)
    try:
        yield finalizer
    finally:
        hold()


def _select(service: Service, label: str, **spec: Object) -> None:
    service.edit(monitoring={"dashboards": {"instanceSelector": {"matchLabels": {"dashboards": label}}}}, **spec)


def _selected(service: Service, topic: str) -> str:
    dashboard = service.child("grafanadashboards", f"-dashboard-{topic}")
    label: str = dashboard["spec"]["instanceSelector"]["matchLabels"]["dashboards"]
    return label


def _dashboards(service: Service, plural: str) -> dict[str, Object]:
    found = {each["metadata"]["name"]: each for each in service.api.list(plural, service.namespace)}
    return {name: each for name, each in found.items() if name.startswith(f"{service.name}-dashboard-")}


def _json(config_maps: dict[str, Object]) -> dict[str, str]:
    return {name: next(iter(each["data"].values())) for name, each in config_maps.items()}


def _versions(service: Service, plural: str, since: str, event_type: str) -> dict[str, int]:
    """Return when each dashboard was made or went, by the one count that the API server keeps of all writes."""
    events = service.api.events_since(since, plural, service.namespace)
    metadata = [event["object"]["metadata"] for event in events if event["type"] == event_type]
    return {
        each["name"]: int(each["resourceVersion"])
        for each in metadata
        if each["name"].startswith(f"{service.name}-dashboard-")
    }
