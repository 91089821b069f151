"""What is said of pods: by their kubelets, or of those that no scheduler takes by a test in a kubelet's place."""

from http import HTTPStatus

from t2i_operator.naming import selector_labels

from tests.api import Object, Refused
from tests.cluster.operators import Service
from tests.waiting import eventually

PARKED: Object = {"podTemplate": {"spec": {"schedulerName": "none"}}}


def parked(block: Object) -> Object:
    """Have no scheduler take the pods of a block with a `podTemplate`, whatever else that says."""
    template = block.get("podTemplate", {})
    pod = {**template.get("spec", {}), **PARKED["podTemplate"]["spec"]}
    return {**block, "podTemplate": {**template, "spec": pod}}


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
    for name in found:
        _say(service, name, ready=ready)
    return found


def serve(service: Service) -> bool:
    """Have those of the service's own pods say that they are ready which do not yet; tell whether there were any."""
    unready = [
        pod["metadata"]["name"]
        for pod in service.api.list("pods", service.namespace)
        if selector_labels(service.name).items() <= pod["metadata"]["labels"].items()
        and "deletionTimestamp" not in pod["metadata"]
        and ("Ready", "True") not in ((each["type"], each["status"]) for each in pod["status"].get("conditions", ()))
    ]
    for name in unready:
        _say(service, name, ready=True)
    return bool(unready)


def found_no_node(service: Service, since: str) -> None:
    """Have all pods say since when the scheduler knows no node for them, which it leaves alone while it knows none."""
    for name in names(service):
        _patch(service, name, {"type": "PodScheduled", "lastTransitionTime": since})


def _say(service: Service, name: str, *, ready: bool) -> None:
    _patch(service, name, {"type": "Ready", "status": str(ready)})


def _patch(service: Service, name: str, condition: Object) -> None:
    status = {"conditions": [condition]}
    path = service.api.path("pods", service.namespace, name) + "/status"
    try:
        service.api.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:  # what was said of another pod may have made this one go
            raise


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
