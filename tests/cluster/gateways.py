"""The Gateway API in the test cluster: the test in the part of a Gateway's controller."""

from typing import Any

from tests.api import Api, Object
from tests.waiting import eventually

NAME = "public"


def gateway(api: Api, namespace: str) -> Object:
    """Make a Gateway that no controller looks after."""
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": NAME},
        "spec": {"gatewayClassName": "none", "listeners": [listener]},
    }
    return api.create("gateways", namespace, body)


def program(api: Api, namespace: str, *, programmed: bool = True, listener: bool = True) -> None:
    """Say what a controller says of a Gateway and of its listener."""
    of_listener = {"name": "http", "attachedRoutes": 0, "supportedKinds": [{"kind": "HTTPRoute"}]}
    status = {
        "conditions": [_condition("Accepted", True), _condition("Programmed", programmed)],
        "listeners": [{**of_listener, "conditions": [_condition("Programmed", listener)]}],
    }
    _set_status(api, "gateways", namespace, NAME, status)


def accept(api: Api, namespace: str, name: str, *, accepted: bool) -> None:
    """Say what a controller says of an HTTPRoute to each of its parents."""
    route = eventually(lambda: api.find("httproutes", namespace, name), "the HTTPRoute")
    assert route is not None
    conditions = [_condition("Accepted", accepted), _condition("ResolvedRefs", True)]
    generation = {"observedGeneration": route["metadata"]["generation"]}
    parents = [
        {
            "parentRef": reference,
            "controllerName": "example.com/tests",
            "conditions": [{**condition, **generation} for condition in conditions],
        }
        for reference in route["spec"]["parentRefs"]
    ]
    _set_status(api, "httproutes", namespace, name, {"parents": parents})


def give_address(api: Api, namespace: str, name: str) -> None:
    """Say what a controller says of an Ingress that it serves."""
    eventually(lambda: api.find("ingresses", namespace, name), "the Ingress")
    _set_status(api, "ingresses", namespace, name, {"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}})


def _condition(kind: str, holds: bool) -> dict[str, Any]:
    return {
        "type": kind,
        "status": str(holds),
        "reason": kind if holds else "Invalid",
        "message": "" if holds else "there is no listener for it",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def _set_status(api: Api, plural: str, namespace: str, name: str, status: Object) -> None:
    path = api.path(plural, namespace, name) + "/status"
    api.request("PATCH", path, {"status": status}, "application/merge-patch+json", fieldManager="controller")
