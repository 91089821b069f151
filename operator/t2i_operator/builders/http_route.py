"""The HTTPRoute to the Service."""

from t2i_operator import naming, spec
from t2i_operator.builders.environment import grace_seconds
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import GATEWAY, HTTP_ROUTE, SERVICE, Object
from t2i_operator.spec.networking import ParentRef


def http_route(resource: spec.TextToImageService) -> Object | None:
    """State what the CRD would fill in: the lists are owned whole, and a default inside them would look like drift."""
    wanted = resource.spec.http_route
    if wanted is None:
        return None
    body: Object = {"parentRefs": [_parent(ref) for ref in wanted.parent_refs], "rules": [_rule(resource, wanted.path)]}
    if wanted.hostnames:
        body["hostnames"] = list(wanted.hostnames)
    return {
        "apiVersion": HTTP_ROUTE.api_version,
        "kind": HTTP_ROUTE.name,
        "metadata": metadata(resource, naming.http_route(resource.metadata.name), annotations=wanted.annotations),
        "spec": body,
    }


def _parent(ref: ParentRef) -> Object:
    return {"group": GATEWAY.api_version.partition("/")[0], "kind": GATEWAY.name, **spec.to_wire(ref)}


def _rule(resource: spec.TextToImageService, path: str) -> Object:
    """Wait as long as the service itself may take: Envoy gives up after 15 s by default, and images take longer.

    The service knows nothing of a prefix, so it is taken off on the way.
    """
    seconds = f"{grace_seconds(resource)}s"
    backend = {
        "group": "",
        "kind": SERVICE.name,
        "name": naming.service(resource.metadata.name),
        "port": resource.spec.service.port,
        "weight": 1,
    }
    rule: Object = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}}],
        "backendRefs": [backend],
        "timeouts": {"request": seconds, "backendRequest": seconds},
    }
    if path != "/":
        rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
        rule["filters"] = [{"type": "URLRewrite", "urlRewrite": rewrite}]
    return rule
