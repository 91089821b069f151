"""Other products' kinds, which a test brings to the cluster and takes away again while the operator runs.

The CustomResourceDefinitions are their own, of the releases that dev/tools pins; the test plays the programs, except
where `opentelemetry` runs one. The Prometheus Operator's are not here: they are on every cluster that this suite runs
on, and are in use there.
"""

from pathlib import Path

import yaml

from dev.cluster import golang
from dev.cluster.paths import Layout
from tests.api import Api, Object, Refused
from tests.cluster.operators import Service
from tests.programs import OPENTELEMETRY, OPENTELEMETRY_OPERATOR
from tests.waiting import eventually

MANAGER = "text-to-image-tests"
COLLECTORS = "opentelemetrycollectors"
_SECONDS = 60


class _Crd:
    """One CustomResourceDefinition."""

    def __init__(self, api: Api, file: Path) -> None:
        self._api = api
        self._body: Object = yaml.load(file.read_text(), yaml.CSafeLoader)
        self.name: str = self._body["metadata"]["name"]
        self._path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{self.name}"

    def live(self) -> Object | None:
        return self._api.look(self._path)

    def is_going(self) -> bool:
        live = self.live()
        return live is not None and "deletionTimestamp" in live["metadata"]

    def is_served(self) -> bool:
        """Ask for the objects as well: the API server has them a moment later than it says `Established`."""
        live = self.live()
        if live is None or "deletionTimestamp" in live["metadata"]:
            return False
        said = {each["type"]: each["status"] for each in live.get("status", {}).get("conditions") or ()}
        return said.get("Established") == "True" and all(self._api.look(path, limit="1") for path in self._of_all())

    def apply(self) -> None:
        self._api.apply(self._path, self._body, manager=MANAGER)

    def delete(self) -> None:
        try:
            self._api.request("DELETE", self._path)
        except Refused as refused:
            if refused.status != 404:
                raise

    def see_whose_it_is(self) -> None:
        found = [each["manager"] for each in (self.live() or {"metadata": {}})["metadata"].get("managedFields", ())]
        assert not found or MANAGER in found, f"{self.name} is on the cluster by {found}: use one where nobody has it"

    def _of_all(self) -> list[str]:
        spec = self._body["spec"]
        versions = [each["name"] for each in spec["versions"] if each["served"]]
        return [f"/apis/{spec['group']}/{version}/{spec['names']['plural']}" for version in versions]


class Product:
    """Installs and removes CustomResourceDefinitions; with them go all objects of their kinds, so nobody else's go."""

    def __init__(self, api: Api, *files: Path) -> None:
        self._crds = [_Crd(api, file) for file in files]

    def install(self) -> None:
        """Have them served; one that is still on its way out would take what is applied, and go all the same."""
        self._see_whose_they_are()
        for crd in self._crds:
            eventually(lambda crd=crd: not crd.is_going(), f"an earlier {crd.name} to be gone", _SECONDS)
            crd.apply()
        for crd in self._crds:
            eventually(crd.is_served, f"{crd.name} to be served", _SECONDS)

    def need(self) -> None:
        """Install them unless they are there, which is cheaper to see than to have."""
        if not all(crd.is_served() for crd in self._crds):
            self.install()

    def remove(self) -> None:
        self._see_whose_they_are()
        for crd in self._crds:
            crd.delete()
        for crd in self._crds:
            eventually(lambda crd=crd: crd.live() is None, f"{crd.name} to be gone", _SECONDS)

    def _see_whose_they_are(self) -> None:
        for crd in self._crds:
            crd.see_whose_it_is()


def grafana_operator(api: Api) -> Product:
    folder = downloaded("github.com/grafana/grafana-operator/v5") / "config/crd/bases"
    return Product(api, folder / "grafana.integreatly.org_grafanadashboards.yaml")


def opentelemetry_operator(api: Api, *others: str) -> Product:
    """Bring the kind that is ours to make, and its `others`."""
    folder = downloaded(OPENTELEMETRY, OPENTELEMETRY_OPERATOR.folder) / "config/crd/bases"
    return Product(api, *(folder / f"opentelemetry.io_{plural}.yaml" for plural in (COLLECTORS, *others)))


def gateway_api(api: Api) -> Product:
    folder = downloaded("sigs.k8s.io/gateway-api") / "config/crd/standard"
    kinds = ("gatewayclasses", "gateways", "httproutes")
    return Product(api, *(folder / f"gateway.networking.k8s.io_{kind}.yaml" for kind in kinds))


def pods_of_a_collector(service: Service, ready: str) -> None:
    """Play the OpenTelemetry operator: say how many of the pods are ready, as `1/1`, where it says so itself."""
    status = {"scale": {"replicas": 1, "statusReplicas": ready}}
    name = f"{service.name}-jaeger"
    eventually(lambda: service.api.find(COLLECTORS, service.namespace, name), "the OpenTelemetryCollector")
    path, kind = service.api.path(COLLECTORS, service.namespace, name), "application/merge-patch+json"
    service.api.request("PATCH", f"{path}/status", {"status": status}, kind, fieldManager=MANAGER)


def dashboards_shown(service: Service) -> int:
    """Say as the Grafana operator does that a Grafana has the GrafanaDashboards; return of how many that is news."""
    plural, kind, news = "grafanadashboards", "application/merge-patch+json", 0
    for each in service.api.list(plural, service.namespace):
        name = each["metadata"]["name"]
        if not name.startswith(f"{service.name}-dashboard-") or each.get("status", {}).get("conditions"):
            continue
        status = {"conditions": [condition("DashboardSynchronized", "True")]}
        path = f"{service.api.path(plural, service.namespace, name)}/status"
        service.api.request("PATCH", path, {"status": status}, kind, fieldManager=MANAGER)
        news += 1
    return news


def condition(name: str, status: str) -> Object:
    """Return a condition as the products' kinds want it whole."""
    rest = {"reason": "Played", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    return {"type": name, "status": status, **rest}


def show_dashboards(service: Service) -> None:
    """Play the Grafana operator, as dashboards come, until all are said to be in place."""

    def shown() -> bool:
        dashboards_shown(service)
        said = service.conditions()["DashboardsReady"]
        assert (said["status"], said["reason"]) == ("True", "InPlace"), said
        return True

    eventually(shown, "the dashboards to be in place")


def downloaded(module: str, folder: str = "crds") -> Path:
    """Return where the release of a Go module is that a folder of dev/tools pins."""
    layout = Layout.of_this_checkout()
    return golang.downloaded(module, layout.tools / folder, layout.cache)
