"""Certificates that spans are sent with: mounted once they are there, followed, and no reason for a pod to wait."""

import base64

import pytest

from tests.api import Object
from tests.cluster.operators import Service
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

CHECKSUM = "texttoimage.dev/certificates-checksum"
PEM = "-----BEGIN CERTIFICATE-----"
TLS = {
    "ca": {"configMapKeyRef": {"name": "authorities", "key": "ours.pem"}},
    "clientSecretRef": {"name": "client"},
}
SENT = {"mode": "External", "endpoint": "https://otlp.example.com", "protocol": "http/protobuf", "tls": TLS}


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _template(service: Service) -> Object:
    template: Object = service.child("deployments")["spec"]["template"]
    return template


def _checksum(service: Service) -> str:
    found: str = _template(service)["metadata"]["annotations"].get(CHECKSUM, "")
    return found


def _told(service: Service) -> dict[str, str]:
    (container,) = _template(service)["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}


def _make(service: Service, kind: str, metadata: Object, data: dict[str, str]) -> None:
    body = {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}
    service.api.create(f"{kind.lower()}s", service.namespace, body)


@pytest.mark.parametrize("labels", [{"texttoimage.dev/reload": ""}, {}], ids=["labelled", "polled"])
def test_the_certificates_of_spans_are_followed(service: Service, labels: dict[str, str]) -> None:
    service.create(monitoring={**UNOBSERVED, "tracing": SENT})
    message = service.wait("TracingReady", "False", "ConfigMapMissing")["message"]
    assert "there is no ConfigMap authorities; spec.monitoring.tracing.tls.ca names it" in message
    service.ready()
    assert "OTLP_ENDPOINT" not in _told(service)

    _make(service, "ConfigMap", {"name": "authorities"}, {"ours.pem": PEM})
    service.wait("TracingReady", "False", "SecretMissing")
    pair = {"tls.crt": _encoded(PEM), "tls.key": _encoded("not one")}
    _make(service, "Secret", {"name": "client", "labels": labels}, pair)
    assert "key tls.key of Secret client" in service.wait("TracingReady", "False", "KeyInvalid")["message"]

    service.api.patch("secrets", service.namespace, "client", {"data": {"tls.key": _encoded(PEM)}})
    service.wait("TracingReady", "True", "External")
    first = eventually(lambda: _checksum(service), "a checksum")
    assert _told(service)["OTLP_ENDPOINT"] == SENT["endpoint"]
    assert _told(service)["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] == "http/protobuf"
    volumes = {each["name"] for each in _template(service)["spec"]["volumes"]}
    assert volumes >= {"collector-ca", "collector-client"}

    service.api.patch("secrets", service.namespace, "client", {"data": {"tls.crt": _encoded(f"{PEM} renewed")}})
    eventually(lambda: _checksum(service) not in ("", first), "another checksum")

    service.api.delete("secrets", service.namespace, "client")
    service.wait("TracingReady", "False", "SecretMissing")
    eventually(lambda: "OTLP_ENDPOINT" not in _told(service), "pods that wait for no volume")
    service.ready()
