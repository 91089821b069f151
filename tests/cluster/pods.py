"""What is said of pods: by their kubelets, or of those that no scheduler takes by a test in a kubelet's place."""

from tests.cluster.api import eventually
from tests.cluster.operators import Service

PARKED = {"podTemplate": {"spec": {"schedulerName": "none"}}}


def names(service: Service) -> set[str]:
    """Return the pods of the service that are there to stay."""
    return {
        pod["metadata"]["name"]
        for pod in service.api.list("pods", service.namespace)
        if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == service.name
        and "deletionTimestamp" not in pod["metadata"]
    }


def say(service: Service, *, ready: bool) -> set[str]:
    """Have all pods say that they are ready, or that they are not; return their names."""
    found = eventually(lambda: names(service), "a pod")
    status = {"conditions": [{"type": "Ready", "status": str(ready)}]}
    for name in found:
        path = service.api.path("pods", service.namespace, name) + "/status"
        service.api.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
    return found


def shown(service: Service) -> set[str]:
    """Return what the API server shows to be the matter: the pods' own reasons, or that none can be made."""
    conditions = service.child("deployments").get("status", {}).get("conditions", ())
    found = {each["type"] for each in conditions if (each["type"], each["status"]) == ("ReplicaFailure", "True")}
    for pod in service.api.list("pods", service.namespace):
        found |= {each.get("reason", "") for each in pod["status"].get("conditions", ())}
        for container in pod["status"].get("containerStatuses", ()):
            states = (*container.get("state", {}).values(), *container.get("lastState", {}).values())
            found |= {state.get("reason", "") for state in states}
    return found
