"""Pods that no scheduler takes: what their kubelets would say is a test's to say."""

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
