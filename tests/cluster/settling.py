"""The test in the part of everybody whom a service waits for, until nothing of it is under way."""

from tests.api import Object
from tests.cluster import pods
from tests.cluster.gateways import accept, give_address
from tests.cluster.operators import Service
from tests.cluster.products import dashboards_shown
from tests.waiting import eventually


def settle(service: Service, spec: Object) -> None:
    """Wait until all is as the newest spec wants it and is said to be; of a paused one, until it is left alone.

    Parked pods become ready, an autoscaler takes as many as it may, an Ingress gets an address, an HTTPRoute is
    accepted by the Gateway, a Grafana takes the dashboards: each only once the operator has seen the spec, or it would
    rightly put it back.
    """
    if spec.get("paused"):
        service.wait("Reconciling", "False", "Paused")
        return

    def settled() -> bool:
        found = {name: each["status"] for name, each in service.conditions().items()}
        number, summary = _number(service), service.live()["status"]["replicasSummary"]
        if _scale(service, spec) or _let_in(service, spec) or _show(service, spec):
            return False
        # What depends on the number is made by the time that the pods of a number are said to be ready.
        assert summary.endswith(f"/{number}"), summary
        if pods.serve(service):
            return False
        assert summary == f"{number}/{number}"
        assert (found["Ready"], found["RouteReady"], found["Reconciling"]) == ("True", "True", "False"), found
        assert found["DashboardsReady"] == "True", "what another form has left is still there"
        return True

    eventually(settled, "everything to be as the spec wants it", seconds=60)


def _number(service: Service) -> int:
    number: int = service.child("deployments")["spec"]["replicas"]
    return number


def _scale(service: Service, spec: Object) -> bool:
    """Scale as an autoscaler does; the real one holds to a number within its bounds while it has no metrics."""
    number = spec.get("autoscaling", {}).get("maxReplicas")
    if number in (None, _number(service)):
        return False
    scale = service.api.path("deployments", service.namespace, service.name) + "/scale"
    body, kind = {"spec": {"replicas": number}}, "application/merge-patch+json"
    service.api.request("PATCH", scale, body, kind, fieldManager="scaler")
    return True


def _let_in(service: Service, spec: Object) -> bool:
    if "ingress" in spec and not service.child("ingresses").get("status", {}).get("loadBalancer"):
        give_address(service.api, service.namespace, service.name)
        return True
    if "httpRoute" in spec and not _is_accepted(service.child("httproutes")):
        accept(service.api, service.namespace, service.name, accepted=True)
        return True
    return False


def _show(service: Service, spec: Object) -> bool:
    wanted = spec.get("monitoring", {}).get("dashboards", {})
    return wanted.get("format") == "GrafanaDashboard" and dashboards_shown(service) > 0


def _is_accepted(route: Object) -> bool:
    said = [each for parent in route.get("status", {}).get("parents", ()) for each in parent["conditions"]]
    return bool(said) and all(each["observedGeneration"] == route["metadata"]["generation"] for each in said)
