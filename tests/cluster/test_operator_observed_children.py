"""Each kind of object that observes a service: repaired whatever is done to it, and gone when its block is off.

The operator has its default times here, so that what it repairs within seconds it repairs because of an event.
"""

import uuid
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from t2i_operator import naming
from t2i_operator.kube import kinds

from tests.api import Api, Object
from tests.cluster.mail import MAIL, make_login
from tests.cluster.operators import OperatorProcess, Service
from tests.cluster.products import grafana_operator
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

# A volume that nobody provides, so that no pod of Jaeger's starts: what runs in it is no matter here.
JAEGER: Object = {"storage": {"type": "Badger", "badger": {"storageClassName": "nobody-s"}}}
OBSERVED: Object = {
    "metrics": {"mode": "Managed"},
    "alerts": {"mode": "Managed"},
    "dashboards": {"mode": "Managed"},
    "tracing": {"mode": "Managed", "jaeger": JAEGER},
}
# Apart from the others: a resource that names a Secret is looked at every 45 seconds, whatever it is told.
TOLD: Object = {**UNOBSERVED, "alerts": {"receivers": [MAIL]}}
SELECTED: Object = {
    "mode": "Managed",
    "format": "GrafanaDashboard",
    "instanceSelector": {"matchLabels": {"dashboards": "grafana"}},
}
OTHER_LABEL: Object = {"metadata": {"labels": {"app.kubernetes.io/component": "theirs"}}}
OTHER_SELECTOR: Object = {"spec": {"selector": {"app.kubernetes.io/instance": "theirs"}}}
OF_THE_SERVER = ("clusterIP", "clusterIPs")
OTHER_TARGET: Object = {"spec": {"selector": {"matchLabels": {"app.kubernetes.io/instance": "theirs"}}}}


class Child(NamedTuple):
    """An object, and somebody's change to it; in each of `emptied` every value becomes `{}`."""

    plural: str
    suffix: str
    change: Object
    emptied: bool = False
    resource: str = "observed"

    def of(self, services: dict[str, Service]) -> "Live":
        return Live(self, services[self.resource])


class Live:
    """That object on the cluster."""

    def __init__(self, child: Child, service: Service) -> None:
        self._child, self._service = child, service

    def read(self) -> Object:
        return self._service.child(self._child.plural, self._child.suffix)

    def patch(self, change: Object) -> Object:
        child, service = self._child, self._service
        return service.api.patch(child.plural, service.namespace, service.name + child.suffix, change)

    def break_it(self) -> Object:
        emptied = {"data": dict.fromkeys(self.read()["data"], "{}")} if self._child.emptied else {}
        return self.patch({**self._child.change, **emptied})

    def delete(self) -> None:
        child, service = self._child, self._service
        service.api.delete(child.plural, service.namespace, service.name + child.suffix)


def said(live: Object) -> Object:
    """Return what the operator says in an object."""
    metadata = {part: live["metadata"].get(part) for part in ("labels", "ownerReferences")}
    spec = {name: value for name, value in live.get("spec", {}).items() if name not in OF_THE_SERVER}
    return {**metadata, "spec": spec, "data": live.get("data")}


CHILDREN = {
    "ServiceMonitor": Child("servicemonitors", "-monitor", OTHER_TARGET),
    "PrometheusRule": Child("prometheusrules", "-alerts", {"spec": {"groups": []}}),
    "AlertmanagerConfig": Child("alertmanagerconfigs", "-alerts", {"spec": {"receivers": []}}, resource="told"),
    "dashboard": Child("configmaps", "-dashboard-overview", {}, emptied=True),
    "GrafanaDashboard": Child("grafanadashboards", "-dashboard-overview", {"spec": {"json": "{}"}}, resource="shown"),
    "Deployment of Jaeger": Child("deployments", "-jaeger", {"spec": {"replicas": 0}}),
    "ConfigMap of Jaeger": Child("configmaps", "-jaeger-config", {}, emptied=True),
    "Service for spans": Child("services", "-jaeger-collector", OTHER_SELECTOR),
    "Service of pages": Child("services", "-jaeger-query", OTHER_SELECTOR),
    "claim of Jaeger": Child("persistentvolumeclaims", "-jaeger", OTHER_LABEL),  # its spec cannot be changed
    "NetworkPolicy of Jaeger": Child("networkpolicies", "-jaeger", {"spec": {"ingress": []}}),
    "ServiceMonitor of Jaeger": Child("servicemonitors", "-jaeger-monitor", OTHER_TARGET),
}
DASHBOARDS = {f"-dashboard-{topic}" for topic in ("overview", "models", "business")}
# What each block alone has in the list of objects, by the ends of their names.
BLOCKS = {
    "metrics": {"-monitor", "-jaeger-monitor"},
    "alerts": {"-alerts"},
    "dashboards": DASHBOARDS | {"-dashboard-traces"},
    "tracing": {
        "-jaeger",
        "-jaeger-config",
        "-jaeger-collector",
        "-jaeger-query",
        "-jaeger-monitor",
        "-dashboard-traces",
    },
}
each_child = pytest.mark.parametrize("child", CHILDREN.values(), ids=CHILDREN)


@pytest.fixture(scope="module")
def scene(
    kubectl: Callable[..., str], api: Api, prometheus_operator_crds: None, default_operator: OperatorProcess
) -> Iterator[dict[str, Service]]:
    """Three services of one namespace, observed in every way between them."""
    grafana, namespace = grafana_operator(api), f"observed-children-{uuid.uuid4().hex[:6]}"
    grafana.install()
    kubectl("create", "namespace", namespace)
    services = {
        name: Service(api, namespace, default_operator.class_name, name) for name in ("observed", "shown", "told")
    }
    services["observed"].create(monitoring=OBSERVED, networkPolicy={"mode": "Managed"})
    make_login(api, namespace)
    services["told"].create(monitoring=TOLD)
    services["shown"].create(monitoring={**UNOBSERVED, "dashboards": SELECTED})
    for child in CHILDREN.values():
        eventually(child.of(services).read, f"{child.plural} {child.suffix}")
    yield services
    kubectl("delete", "namespace", namespace, "--wait=false")
    grafana.remove()


@pytest.fixture
def live(child: Child, scene: dict[str, Service]) -> Live:
    return child.of(scene)


@each_child
def test_a_change_is_put_back(live: Live) -> None:
    before = said(live.read())
    assert said(live.break_it()) != before

    eventually(lambda: said(live.read()) == before, "the change to be put back")


@each_child
def test_a_removed_label_and_owner_are_put_back(live: Live) -> None:
    before = said(live.read())
    live.patch({"metadata": {"labels": {"app.kubernetes.io/managed-by": None}, "ownerReferences": None}})

    eventually(lambda: said(live.read()) == before, "both to be put back")


@each_child
def test_a_deleted_object_is_made_again(live: Live) -> None:
    before = live.read()
    live.delete()

    eventually(lambda: live.read()["metadata"]["uid"] != before["metadata"]["uid"], "another object of the name")
    assert said(live.read()) == said(before)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_that_is_switched_off_takes_its_own_objects_and_no_other(scene: dict[str, Service], block: str) -> None:
    service = scene["observed"]
    before = _objects(service)
    gone = {named for named in before if named[1].removeprefix(service.name) in BLOCKS[block]}
    assert {name.removeprefix(service.name) for _, name in gone} == BLOCKS[block]

    service.edit(monitoring={block: {"mode": "Disabled", **({"jaeger": None} if block == "tracing" else {})}})
    eventually(lambda: _objects(service) == before - gone, "the status to tell of the others")
    eventually(lambda: _made(service) == before - gone, "theirs to be gone")

    service.edit(monitoring={block: OBSERVED[block]})
    eventually(lambda: _objects(service) == before == _made(service), "them to be there again")


def _objects(service: Service) -> set[tuple[str, str]]:
    """Return kind and name of all that the status tells of, which is of this generation."""
    service.conditions()
    return {(each["kind"], each["name"]) for each in service.live()["status"]["objects"]}


def _made(service: Service) -> set[tuple[str, str]]:
    """Return kind and name of all that is there for the service."""
    selector = f"{naming.CHILD_SELECTOR},{naming.INSTANCE_LABEL}={service.name}"
    return {
        (kind.name, each["metadata"]["name"])
        for kind in kinds.CHILDREN
        if kind not in (kinds.HTTP_ROUTE, kinds.OPENTELEMETRY_COLLECTOR)  # which this cluster may not have
        for each in service.api.request("GET", kind.path(service.namespace), labelSelector=selector)["items"]
    }
