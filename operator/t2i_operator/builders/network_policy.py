"""The NetworkPolicy of the pods: who may reach them, and what they may reach."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import NETWORK_POLICY, Object

# Where clouds hand out a node's credentials: link-local addresses, and those that Azure, Alibaba, AWS and Google have
# beside them.
_METADATA_V4 = ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32")
_METADATA_V6 = ("fe80::/10", "fd00:ec2::254/128", "fd20:ce::254/128")
_ANY_POD: Object = {"namespaceSelector": {}}
# Any pod, and any address but those. Pods are named apart, because not every network plugin takes an ipBlock to mean
# pods.
_ANYWHERE: tuple[Object, ...] = (
    _ANY_POD,
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": [*_METADATA_V4]}},
    {"ipBlock": {"cidr": "::/0", "except": [*_METADATA_V6]}},
)
_DNS, _HTTPS = 53, 443
# Where OpenShift's DNS pods listen: a policy sees the port behind the Service.
_DNS_OF_PODS = 5353
_COLLECTOR_PORTS = (4317, 4318)


def network_policy(resource: spec.TextToImageService) -> Object | None:
    """Name the pods' port rather than number it, so that a pod template may move it."""
    wanted = resource.spec.network_policy
    if wanted.mode == "Disabled":
        return None
    name = resource.metadata.name
    way_in: Object = {"ports": [{"protocol": "TCP", "port": naming.PORT_NAME}]}
    if wanted.ingress_from:
        way_in["from"] = [spec.to_wire(peer) for peer in wanted.ingress_from]
    return {
        "apiVersion": NETWORK_POLICY.api_version,
        "kind": NETWORK_POLICY.name,
        "metadata": metadata(resource, naming.network_policy(name)),
        "spec": {
            "podSelector": {"matchLabels": naming.selector_labels(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [way_in],
            "egress": list(_egress(resource)),
        },
    }


def _egress(resource: spec.TextToImageService) -> Iterator[Object]:
    ports = [_port(_DNS, "UDP"), _port(_DNS), *map(_port, sorted({_HTTPS, *_endpoint_ports(resource)}))]
    yield {"to": list(_ANYWHERE), "ports": ports}
    yield {"to": [_ANY_POD], "ports": [_port(_DNS_OF_PODS, "UDP"), _port(_DNS_OF_PODS)]}
    if resource.spec.monitoring.tracing.mode == "Managed":
        collector = {"podSelector": {"matchLabels": _collector_labels(resource)}}
        yield {"to": [collector], "ports": [_port(port) for port in _COLLECTOR_PORTS]}
    for peer in resource.spec.network_policy.egress_to:
        plain = spec.to_wire(peer)
        ports = [{"protocol": "TCP", **port} for port in plain.pop("ports", ())]
        yield {"to": [plain], **({"ports": ports} if ports else {})}


def _collector_labels(resource: spec.TextToImageService) -> dict[str, str]:
    """Leave the instance aside where the OpenTelemetry operator labels the pods: it may cut that label short."""
    if resource.spec.monitoring.tracing.jaeger.is_collector:
        return {naming.COMPONENT_LABEL: "opentelemetry-collector"}
    return naming.selector_labels(resource.metadata.name, "jaeger")


def _endpoint_ports(resource: spec.TextToImageService) -> Iterator[int]:
    """Return the ports of what the spec sends telemetry to; a policy cannot select by host name."""
    monitoring = resource.spec.monitoring
    if monitoring.tracing.mode == "External" and monitoring.tracing.endpoint:
        yield _port_of("spec.monitoring.tracing.endpoint", monitoring.tracing.endpoint)
    if monitoring.langtrace.mode != "Disabled" and monitoring.langtrace.host:
        yield _port_of("spec.monitoring.langtrace.host", monitoring.langtrace.host)


def _port_of(field: str, url: str) -> int:
    """Return the port that a URL leads to; a pattern in the CRD does not know a wrong port from a right one."""
    try:
        scheme, port = urlsplit(url).scheme, urlsplit(url).port
    except ValueError as error:
        raise spec.InvalidSpec((f"{field}: {url} is no URL: {error}",)) from error
    return port or (80 if scheme == "http" else _HTTPS)


def _port(number: int, protocol: str = "TCP") -> Object:
    return {"protocol": protocol, "port": number}
