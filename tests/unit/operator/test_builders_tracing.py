"""How the pods are told to send their spans, and that what is missing keeps none of them from starting."""

import base64
from typing import Any

import pytest
from t2i_operator.builders import Observed
from t2i_operator.builders.pod import pod_template
from t2i_operator.known import credentials, references
from t2i_operator.naming import CERTIFICATES_CHECKSUM_ANNOTATION

from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

CA = {"ca": {"configMapKeyRef": {"name": "authorities", "key": "ours.pem"}}}
CLIENT = {"clientSecretRef": {"name": "client"}}
SENT = {"mode": "External", "endpoint": "https://o:4318", "protocol": "http/protobuf"}
PEM = "-----BEGIN CERTIFICATE-----"
ENCODED = base64.b64encode(PEM.encode()).decode()
THERE = {"configmaps/authorities": {"ours.pem": PEM}, "client": {"tls.crt": ENCODED, "tls.key": ENCODED}}
VARIABLE = "OTEL_EXPORTER_OTLP_TRACES_"
CA_FILE, FOLDER = "/etc/text-to-image/collector/ca/ca.crt", "/etc/text-to-image/collector/client"


def template(tracing: dict[str, Any], secrets: Any) -> dict[str, Any]:
    wanted = resource(monitoring={**UNOBSERVED, "tracing": tracing})
    checksum = credentials.digest(references.certificate_values(wanted, secrets) or {}, b"key")
    return pod_template(wanted, Observed(image=OBSERVED.image, keys=OBSERVED.keys, certificates_checksum=checksum))


def told(pod: dict[str, Any]) -> dict[str, str]:
    """Return the variables about the collector, by what is theirs of the name."""
    found = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0]["env"]}
    return {name.removeprefix(VARIABLE): value for name, value in found.items() if name.startswith(("OTLP_", VARIABLE))}


def mounted(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the collector's volumes by where they are mounted."""
    volumes = {each["name"]: each for each in pod["spec"]["volumes"] if each["name"].startswith("collector-")}
    mounts = [each for each in pod["spec"]["containers"][0]["volumeMounts"] if each["name"] in volumes]
    assert all(each["readOnly"] for each in mounts)
    return {each["mountPath"]: volumes[each["name"]] for each in mounts}


@pytest.mark.parametrize(
    ("tls", "files"),
    [
        ({}, {}),
        (CA, {"CERTIFICATE": CA_FILE}),
        (CLIENT, {"CLIENT_CERTIFICATE": f"{FOLDER}/tls.crt", "CLIENT_KEY": f"{FOLDER}/tls.key"}),
    ],
    ids=["public", "ca", "client"],
)
def test_every_file_that_is_named_is_mounted(tls: dict[str, Any], files: dict[str, str]) -> None:
    pod = template({**SENT, "tls": tls}, THERE)
    assert told(pod) == {"OTLP_ENDPOINT": "https://o:4318", "PROTOCOL": "http/protobuf", **files}
    assert {file.rpartition("/")[0] for file in files.values()} == mounted(pod).keys()


def test_a_ca_s_key_becomes_the_file_that_is_read() -> None:
    (volume,) = mounted(template({**SENT, "tls": CA}, THERE)).values()
    source = {"name": "authorities", "items": [{"key": "ours.pem", "path": "ca.crt"}]}
    assert volume == {"name": "collector-ca", "configMap": source}


def test_grpc_is_the_service_s_own_default() -> None:
    assert told(template({"mode": "External", "endpoint": "https://o"}, {})) == {"OTLP_ENDPOINT": "https://o"}


@pytest.mark.parametrize("gone", THERE)
@pytest.mark.parametrize("left", [None, {}], ids=["no object", "no key"])
def test_without_its_certificates_a_pod_starts_and_sends_nothing(gone: str, left: Any) -> None:
    pod = template({**SENT, "tls": CA | CLIENT}, {**THERE, gone: left})
    assert (told(pod), mounted(pod)) == ({}, {})
    assert CERTIFICATES_CHECKSUM_ANNOTATION not in pod["metadata"]["annotations"]


def test_a_certificate_that_changes_rolls_the_pods_and_no_other_key_does() -> None:
    def checksum(secrets: Any) -> Any:
        return template({**SENT, "tls": CA | CLIENT}, secrets)["metadata"]["annotations"][
            CERTIFICATES_CHECKSUM_ANNOTATION
        ]

    unused = {**THERE, "client": {**THERE["client"], "ca.crt": ENCODED}}
    renewed = {**THERE, "client": {**THERE["client"], "tls.crt": base64.b64encode(f"{PEM} 2".encode()).decode()}}
    assert checksum(unused) == checksum(THERE)
    assert checksum(renewed) != checksum(THERE)


@pytest.mark.parametrize("mode", ["Disabled", "Managed"])
def test_what_is_not_sent_elsewhere_needs_no_certificates(mode: str) -> None:
    pod = template({"mode": mode, "tls": CA | CLIENT}, {})
    assert ("OTLP_ENDPOINT" in told(pod), mounted(pod)) == (mode == "Managed", {})
