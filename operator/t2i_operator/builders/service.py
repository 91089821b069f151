"""The Service in front of the pods."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import SERVICE, Object


def service(resource: spec.TextToImageService) -> Object:
    """Name the target port, so that a rollout may change its number."""
    wanted = resource.spec.service
    body: Object = {
        "type": wanted.type,
        "selector": naming.selector_labels(resource.metadata.name),
        "ports": [
            {"name": naming.PORT_NAME, "port": wanted.port, "targetPort": naming.PORT_NAME, "protocol": "TCP"},
        ],
    }
    if wanted.load_balancer_class:
        body["loadBalancerClass"] = wanted.load_balancer_class
    if wanted.load_balancer_source_ranges:
        body["loadBalancerSourceRanges"] = list(wanted.load_balancer_source_ranges)
    return {
        "apiVersion": SERVICE.api_version,
        "kind": SERVICE.name,
        "metadata": metadata(resource, naming.service(resource.metadata.name), annotations=wanted.annotations),
        "spec": body,
    }
