"""How the service sends its spans: where to, by which protocol, with whose certificates and which headers."""

from collections.abc import Iterable

from t2i_operator import naming, spec
from t2i_operator.builders.certificates import CA_FILE, CERTIFICATE_FILE, KEY_FILE, Mount, certificates
from t2i_operator.builders.monitoring.jaeger.configuration import OTLP_GRPC, OTLP_HTTP
from t2i_operator.builders.observed import Observed
from t2i_operator.kube.kinds import Object

_FOLDER = "/etc/text-to-image/collector"
_VARIABLE = "OTEL_EXPORTER_OTLP_TRACES"


def traces_endpoint(resource: spec.TextToImageService) -> str | None:
    """Return where spans are sent; None: nowhere, though an endpoint be named."""
    wanted, owner = resource.spec.monitoring.tracing, resource.metadata
    if wanted.mode == "Managed":
        port = OTLP_GRPC if wanted.protocol == "grpc" else OTLP_HTTP
        return naming.jaeger_endpoint(naming.Key(owner.namespace, owner.name), port)
    return wanted.endpoint if wanted.mode == "External" else None


def variables(resource: spec.TextToImageService, observed: Observed) -> dict[str, str]:
    """Return what the service is told; without its certificates it sends nothing, rather than to whoever answers."""
    wanted, endpoint = resource.spec.monitoring.tracing, traces_endpoint(resource)
    if endpoint is None or _lacks_certificates(resource, observed):
        return {}
    told = {"OTLP_ENDPOINT": endpoint}
    if wanted.protocol != "grpc":
        told[f"{_VARIABLE}_PROTOCOL"] = wanted.protocol
    if wanted.tls and wanted.tls.ca:
        told[f"{_VARIABLE}_CERTIFICATE"] = f"{_FOLDER}/{CA_FILE}"
    if wanted.tls and wanted.tls.client_secret_ref:
        told[f"{_VARIABLE}_CLIENT_CERTIFICATE"] = f"{_FOLDER}/{CERTIFICATE_FILE}"
        told[f"{_VARIABLE}_CLIENT_KEY"] = f"{_FOLDER}/{KEY_FILE}"
    return told


def mounts(resource: spec.TextToImageService, observed: Observed) -> list[Mount]:
    """Return the volumes of the certificates, once all are there: a pod waits for ever for one that is not."""
    wanted = resource.spec.monitoring.tracing
    if wanted.mode != "External" or wanted.tls is None or _lacks_certificates(resource, observed):
        return []
    return list(certificates(wanted.tls, "collector", _FOLDER))


def headers(resource: spec.TextToImageService, names: Iterable[str]) -> list[Object]:
    """Put the headers together from variables, so that their values stay in the user's Secret.

    Not optional: a variable that is not there would be sent as its name.
    """
    ref = resource.spec.monitoring.tracing.headers_secret_ref
    parts = {name: f"OTLP_HEADER_{number}" for number, name in enumerate(names)}
    if ref is None or not parts:
        return []
    values = [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": name}}}
        for name, variable in parts.items()
    ]
    text = ",".join(f"{name}=$({variable})" for name, variable in parts.items())
    return [*values, {"name": f"{_VARIABLE}_HEADERS", "value": text}]


def _lacks_certificates(resource: spec.TextToImageService, observed: Observed) -> bool:
    wanted = resource.spec.monitoring.tracing
    named = wanted.mode == "External" and wanted.tls and (wanted.tls.ca or wanted.tls.client_secret_ref)
    return bool(named) and not observed.certificates_checksum
