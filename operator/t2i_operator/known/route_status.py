"""What an Ingress or an HTTPRoute says about itself, kept instead of the object."""

from typing import NamedTuple

from t2i_operator.kube.kinds import GATEWAY, HTTP_ROUTE, INGRESS, Kind, Object

GATEWAY_GROUP = GATEWAY.api_version.partition("/")[0]


class RouteStatus(NamedTuple):
    """Whether requests come in by it: True, False with a reason to act on, or None while its controller is silent.

    `programmed`: its controller says more than it has to, namely that the route is in force.
    """

    works: bool | None
    message: str
    programmed: bool = False


def route_status(kind: Kind, live: Object) -> RouteStatus | None:
    """Read a live object; None for the kinds that lead nowhere."""
    if kind == INGRESS:
        return _ingress(live)
    return _http_route(live) if kind == HTTP_ROUTE else None


def _ingress(live: Object) -> RouteStatus:
    points = live.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    addresses = [point.get("hostname") or point.get("ip") for point in points]
    if not any(addresses):
        return RouteStatus(None, "its controller has given it no address yet")
    return RouteStatus(True, f"it answers at {', '.join(filter(None, addresses))}")


def _http_route(live: Object) -> RouteStatus:
    """Every parent has to accept the newest generation; of several controllers of one parent, one is enough."""
    verdicts = [_of_parent(live, parent) for parent in live["spec"].get("parentRefs", ())]
    silent_or_refused = sorted((each for each in verdicts if not each.works), key=lambda each: each.works is None)
    if silent_or_refused:
        return silent_or_refused[0]
    return RouteStatus(True, "it is accepted", all(each.programmed for each in verdicts))


def _of_parent(live: Object, parent: Object) -> RouteStatus:
    metadata = live["metadata"]
    name = f"{parent.get('kind', GATEWAY.name)} {parent.get('namespace', metadata['namespace'])}/{parent['name']}"
    verdicts = [
        _verdict(status, metadata["generation"])
        for status in live.get("status", {}).get("parents", ())
        if _who(status["parentRef"], metadata) == _who(parent, metadata)
    ]
    accepted = next((each for each in verdicts if each.works), None)
    if accepted is not None:
        return accepted
    refused = next((each for each in verdicts if each.works is False), None)
    if refused is not None:
        return RouteStatus(False, f"{name} does not accept it: {refused.message}")
    return RouteStatus(None, f"{name} has not accepted it yet")


def _who(parent: Object, metadata: Object) -> tuple[object, ...]:
    defaults = {"group": GATEWAY_GROUP, "kind": GATEWAY.name, "namespace": metadata["namespace"]}
    full = {**defaults, **parent}
    return tuple(full.get(part) for part in ("group", "kind", "namespace", "name", "sectionName", "port"))


def _verdict(status: Object, generation: int) -> RouteStatus:
    """Look at more than Accepted: where references are not resolved, every request is answered with 500."""
    fresh = {
        each["type"]: each
        for each in status.get("conditions", ())
        if each.get("observedGeneration", generation) >= generation
    }
    if "Accepted" not in fresh:
        return RouteStatus(None, "")
    for condition in (fresh[kind] for kind in ("Accepted", "ResolvedRefs", "Programmed") if kind in fresh):
        if condition["status"] != "True":
            return RouteStatus(False, f"{condition.get('reason', condition['type'])}: {condition.get('message', '')}")
    return RouteStatus(True, "", "Programmed" in fresh)
