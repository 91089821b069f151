"""The Ingress in front of the Service."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import INGRESS, Object


def ingress(resource: spec.TextToImageService) -> Object | None:
    """Name the Service's port, so that a change of its number is no change here."""
    wanted = resource.spec.ingress
    if wanted is None:
        return None
    name = resource.metadata.name
    service = {"name": naming.service(name), "port": {"name": naming.PORT_NAME}}
    path = {"path": wanted.path, "pathType": wanted.path_type, "backend": {"service": service}}
    body: Object = {"rules": [{"host": wanted.host, "http": {"paths": [path]}}]}
    if wanted.class_name is not None:
        body["ingressClassName"] = wanted.class_name
    if wanted.tls is not None:
        secret = {"secretName": wanted.tls.secret_name} if wanted.tls.secret_name else {}
        body["tls"] = [{"hosts": [wanted.host], **secret}]
    return {
        "apiVersion": INGRESS.api_version,
        "kind": INGRESS.name,
        "metadata": metadata(resource, naming.ingress(name), annotations=wanted.annotations),
        "spec": body,
    }
