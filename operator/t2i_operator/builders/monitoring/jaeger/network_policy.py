"""The NetworkPolicy of Jaeger, which asks nobody who they are: who may send it spans, and who may see traces."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.configuration import METRICS, OTLP_GRPC, OTLP_HTTP, QUERY, SPAN_METRICS
from t2i_operator.builders.monitoring.jaeger.deployment import COMPONENT
from t2i_operator.builders.monitoring.jaeger.services import pods
from t2i_operator.kube.kinds import NETWORK_POLICY, Object


def network_policy(resource: spec.TextToImageService) -> Object | None:
    """Let out what it likes: where its storage is, only the spec's URLs say, and a policy cannot select by those."""
    wanted, name = resource.spec.network_policy, resource.metadata.name
    if wanted.mode == "Disabled":
        return None
    service = {"podSelector": {"matchLabels": naming.selector_labels(name)}}
    readers: Object = {"ports": _ports(QUERY, METRICS, SPAN_METRICS)}
    if wanted.ingress_from:
        readers["from"] = [spec.to_wire(peer) for peer in wanted.ingress_from]
    return {
        "apiVersion": NETWORK_POLICY.api_version,
        "kind": NETWORK_POLICY.name,
        "metadata": metadata(resource, naming.jaeger(name), component=COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": pods(resource)},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [service], "ports": _ports(OTLP_GRPC, OTLP_HTTP)}, readers],
        },
    }


def _ports(*numbers: int) -> list[Object]:
    return [{"protocol": "TCP", "port": number} for number in numbers]
