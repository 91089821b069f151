"""Whether the service is reached from outside by what the spec asks for; what came before is kept until it is."""

import time

from t2i_operator import naming, spec
from t2i_operator.known.children import Children
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Verdict
from t2i_operator.known.route_status import GATEWAY_GROUP, RouteStatus
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import GATEWAY, HTTP_ROUTE, INGRESS, Kind, Object
from t2i_operator.spec.networking import ParentRef

# Gateways are other people's and change seldom, so they are read when needed rather than watched.
_MAX_AGE_SECONDS = 4.0


class Routing:
    """Judges the Ingress or the HTTPRoute of a resource, with the Gateways that the route names."""

    def __init__(self, cluster: Cluster, children: Children) -> None:
        self._cluster, self._children = cluster, children
        self._gateways: dict[tuple[str, str], tuple[float, Object | None]] = {}

    async def route(self, resource: spec.TextToImageService, absent: dict[Kind, Absence]) -> Verdict:
        """Return what there is to say of the way in; raises `ApiError` when the API server fails us for a while."""
        metadata = resource.metadata
        if resource.spec.ingress is not None:
            return self._ingress(resource, Id(INGRESS, metadata.namespace, naming.ingress(metadata.name)))
        if resource.spec.http_route is None:
            return Verdict("True", "Disabled", "neither spec.ingress nor spec.httpRoute asks for a way in from outside")
        if HTTP_ROUTE in absent:
            return _absent(absent[HTTP_ROUTE])
        identity = Id(HTTP_ROUTE, metadata.namespace, naming.http_route(metadata.name))
        said = self._status(resource, identity)
        if not said.works:
            status, reason = ("Unknown", "Pending") if said.works is None else ("False", "NotAccepted")
            return Verdict(status, reason, f"{identity}: {said.message}")
        for parent in () if said.programmed else resource.spec.http_route.parent_refs:
            problem = await self._problem(parent, metadata.namespace)
            if problem is not None:
                return problem
        return Verdict("True", "Programmed", f"{identity} is accepted, and its Gateways are programmed")

    def _ingress(self, resource: spec.TextToImageService, identity: Id) -> Verdict:
        said = self._status(resource, identity)
        reason = "AddressAssigned" if said.works else "AddressPending"
        return Verdict("True" if said.works else "Unknown", reason, f"{identity}: {said.message}")

    def _status(self, resource: spec.TextToImageService, identity: Id) -> RouteStatus:
        child = self._children.get(identity)
        ours = child is not None and child.owner == resource.metadata.uid
        return child.route_status if child and ours and child.route_status else RouteStatus(None, "it is not there yet")

    async def _problem(self, parent: ParentRef, namespace: str) -> Verdict | None:
        """Say why a Gateway does not serve the route; other kinds of parent have nothing to be asked for."""
        if (parent.group or GATEWAY_GROUP, parent.kind or GATEWAY.name) != (GATEWAY_GROUP, GATEWAY.name):
            return None
        namespace = parent.namespace or namespace
        name = f"Gateway {namespace}/{parent.name}"
        try:
            live = await self._gateway(namespace, parent.name)
        except ApiError as error:
            if error.transient:
                raise
            hint = "; grant the operator get on gateways" if error.is_forbidden else ""
            return Verdict("Unknown", "NotVisible", f"{name} cannot be read: {error.message}{hint}")
        if live is None:
            return Verdict("False", "GatewayMissing", f"there is no {name}")
        words = _unprogrammed(live, parent.section_name)
        return Verdict("False", "NotProgrammed", f"{name} {words}") if words else None

    async def _gateway(self, namespace: str, name: str) -> Object | None:
        now = time.monotonic()
        self._gateways = {key: known for key, known in self._gateways.items() if now - known[0] < _MAX_AGE_SECONDS}
        if (namespace, name) in self._gateways:
            return self._gateways[namespace, name][1]
        live = await self._cluster.get(GATEWAY, namespace, name)
        kept = live and {"metadata": {"generation": live["metadata"]["generation"]}, "status": live.get("status", {})}
        self._gateways[namespace, name] = now, kept
        return kept


def _absent(absence: Absence) -> Verdict:
    served = f"{HTTP_ROUTE.plural} of {HTTP_ROUTE.api_version}"
    if absence is Absence.FORBIDDEN:
        return Verdict(
            "Unknown", "NotVisible", f"the operator has no right to {served}; grant it, as its ClusterRole does"
        )
    if absence is not Absence.MISSING:
        return Verdict("Unknown", "NotVisible", f"{served} cannot be listed: {absence.answer}")
    return Verdict("False", "GatewayAPIMissing", f"the cluster serves no {served}; install the CRDs of the Gateway API")


def _unprogrammed(gateway: Object, section: str | None) -> str:
    """Say what is missing, of the Gateway and of the listener that the route names; "" when nothing is."""
    generation, status = gateway["metadata"]["generation"], gateway["status"]
    parts = [("", status.get("conditions", ()))]
    parts += [
        (f"listener {each['name']} ", each.get("conditions", ()))
        for each in status.get("listeners", ())
        if each["name"] == section
    ]
    for part, conditions in parts:
        programmed: Object = next((each for each in conditions if each["type"] == "Programmed"), {})
        if programmed.get("status") != "True" or programmed.get("observedGeneration", generation) < generation:
            return f"{part}is not programmed: {programmed.get('message') or 'its controller has not said so'}"
    return ""
