"""Other products' kinds, which a test brings to the cluster and takes away again while the operator runs.

Those in `products/` are in no cluster that this suite runs on; the Prometheus Operator's are, and are in use there.
"""

from collections.abc import Callable
from pathlib import Path

from dev.cluster.kubectl import established
from tests.cluster.operators import Service
from tests.waiting import eventually

HERE = Path(__file__).parent / "products"
MANAGER = "text-to-image-tests"


class Product:
    """Installs and removes CustomResourceDefinitions; with them go all objects of their kinds, so nobody else's go."""

    def __init__(self, kubectl: Callable[..., str], *files: Path) -> None:
        self._kubectl = kubectl
        self._files = [f"--filename={file}" for file in files]

    def install(self) -> None:
        self._see_whose_it_is()
        self._kubectl("apply", "--server-side", f"--field-manager={MANAGER}", *self._files)
        established(self._kubectl, *self._files)

    def remove(self) -> None:
        self._see_whose_it_is()
        self._kubectl("delete", "--ignore-not-found", *self._files)

    def _see_whose_it_is(self) -> None:
        managers = "--output=jsonpath={.metadata.managedFields[*].manager}"
        for file in self._files:
            found = self._kubectl("get", "--ignore-not-found", managers, file).split()
            assert not found or MANAGER in found, f"{file} is on the cluster by {found}: use one where nobody has it"


def grafana_operator(kubectl: Callable[..., str]) -> Product:
    return Product(kubectl, HERE / "grafanadashboards.yaml")


def opentelemetry_operator(kubectl: Callable[..., str]) -> Product:
    return Product(kubectl, HERE / "opentelemetrycollectors.yaml")


def pods_of_a_collector(service: Service, ready: str) -> None:
    """Play the OpenTelemetry operator: say how many of the pods are ready, as `1/1`, where it says so itself."""
    status = {"scale": {"replicas": 1, "statusReplicas": ready}}
    plural, name = "opentelemetrycollectors", f"{service.name}-jaeger"
    eventually(lambda: service.api.find(plural, service.namespace, name), "the OpenTelemetryCollector")
    path, kind = service.api.path(plural, service.namespace, name), "application/merge-patch+json"
    service.api.request("PATCH", f"{path}/status", {"status": status}, kind, fieldManager=MANAGER)


def dashboards_shown(service: Service) -> int:
    """Say as the Grafana operator does that a Grafana has the GrafanaDashboards; return of how many that is news."""
    plural, kind, news = "grafanadashboards", "application/merge-patch+json", 0
    for each in service.api.list(plural, service.namespace):
        name = each["metadata"]["name"]
        if not name.startswith(f"{service.name}-dashboard-") or each.get("status", {}).get("conditions"):
            continue
        status = {"conditions": [{"type": "DashboardSynchronized", "status": "True", "reason": "ApplySuccessful"}]}
        path = f"{service.api.path(plural, service.namespace, name)}/status"
        service.api.request("PATCH", path, {"status": status}, kind, fieldManager=MANAGER)
        news += 1
    return news
