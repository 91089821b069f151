"""What a spec names beside its credentials: watched over, told of by the right condition, and never deleted."""

import base64
from typing import Any

import msgspec
import pytest
from t2i_operator.builders.monitoring.desired import monitoring_objects
from t2i_operator.known import references
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, OPENTELEMETRY_COLLECTOR, SECRET, VOLUME_CLAIM, Kind
from t2i_operator.naming import CREDENTIALS_CHECKSUM_ANNOTATION
from t2i_operator.status.conditions import conditions

from tests.unit.operator.resources import POD, UNOBSERVED, WITH_JAEGER, key, resource

RECEIVERS: list[dict[str, Any]] = [
    {"name": "a", "slack": {"apiURL": key("slack")}},
    {"name": "b", "pagerduty": {"routingKey": key("pager")}},
    {"name": "c", "email": {"to": "a@example.com", "authPassword": key("mail")}},
    {"name": "d", "webhook": {"url": key("hook")}},
]
PEM = base64.b64encode(b"-----BEGIN CERTIFICATE-----").decode()
TLS = {"ca": key("ca"), "clientSecretRef": {"name": "client"}}
SEARCH = {"serverURLs": ["https://s:9200"], "credentialsSecretRef": {"name": "search"}, "tls": TLS}
JAEGER = {"mode": "Managed", "jaeger": {"storage": {"type": "Elasticsearch", "elasticsearch": SEARCH}}}
SENT = {"mode": "External", "endpoint": "https://o:4317", "headersSecretRef": {"name": "headers"}, "tls": TLS}
INGRESS = {"host": "images.example.com", "tls": {"secretName": "certificate"}}


def observed(**monitoring: Any) -> Any:
    return resource(monitoring={**UNOBSERVED, **monitoring})


WATCHED = [
    pytest.param(
        {"alerts": {"receivers": RECEIVERS}}, {"slack", "pager", "mail", "hook"}, "AlertsReady", id="receivers"
    ),
    pytest.param({"tracing": JAEGER}, {"search", "ca", "client"}, "TracingReady", id="storage"),
    pytest.param(
        {"tracing": {key: SENT[key] for key in SENT if key != "tls"}}, {"headers"}, "TracingReady", id="headers"
    ),
    pytest.param(
        {"tracing": {key: SENT[key] for key in SENT if key != "headersSecretRef"}},
        {"ca", "client"},
        "TracingReady",
        id="certificates",
    ),
]


@pytest.mark.parametrize(("monitoring", "names", "condition"), WATCHED)
def test_what_is_missing_is_named_by_the_condition_it_counts_for(
    monitoring: dict[str, Any], names: set[str], condition: str
) -> None:
    wanted = observed(**monitoring)
    assert set(references.sources(wanted)) == names
    for name in names:
        secrets = {each: dict.fromkeys(("k", "username", "password", "tls.crt", "tls.key"), PEM) for each in names}
        assert references.lacks(wanted, secrets) == {}
        lacks = references.lacks(wanted, {**secrets, name: None})
        outcome = Outcome(generation=1, resource=wanted, lacks=lacks)
        said = {each.type: each for each in conditions(outcome)}
        assert (said[condition].status, said[condition].reason) == ("False", "SecretMissing")
        assert f"Secret {name}" in said[condition].message
        assert "spec.monitoring." in said[condition].message
        assert said["CredentialsReady"].status == "True"
        if name != "headers":  # of which any key will do
            (problem,) = references.lacks(wanted, {**secrets, name: {}}).values()
            assert problem.reason == "KeyMissing"


def test_a_certificate_counts_for_the_way_in() -> None:
    wanted = resource(ingress=INGRESS)
    assert references.sources(wanted) == ["certificate"]
    assert references.lacks(wanted, {"certificate": None})["RouteReady"].reason == "SecretMissing"


def test_what_is_switched_off_is_not_watched_but_not_deleted_either() -> None:
    wanted = observed(alerts={"mode": "Disabled", "receivers": RECEIVERS}, tracing={**JAEGER, "mode": "Disabled"})
    assert references.sources(wanted) == []
    assert references.named(wanted, SECRET) == {"slack", "pager", "mail", "hook", "search", "ca", "client"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (SECRET, {"pull", "env", "from", "volume", "projected"}),
        (CONFIG_MAP, {"m", "map-from", "map-volume", "map"}),
        (VOLUME_CLAIM, {"claim"}),
    ],
    ids=["Secret", "ConfigMap", "PersistentVolumeClaim"],
)
def test_what_a_pod_template_names_is_found(kind: Kind, names: set[str]) -> None:
    assert references.named(resource(podTemplate={"spec": POD}), kind) == names
    assert references.named(observed(tracing={"jaeger": {"podTemplate": {"spec": POD}}}), kind) == names


def test_certificates_and_credentials_in_use_are_named() -> None:
    ca = {"configMapKeyRef": {"name": "authorities", "key": "k"}}
    wanted = observed(tracing={**SENT, "tls": {**TLS, "ca": ca}})
    assert references.named(wanted, SECRET) == {"headers", "client"}
    assert references.named(wanted, CONFIG_MAP) == {"authorities"}
    assert references.named(resource(credentials={"secretRef": {"name": "tokens"}}), SECRET) == {"tokens"}


def test_jaeger_s_values_are_told_only_when_all_are_there() -> None:
    encoded = base64.b64encode(b"x").decode()
    secrets: dict[str, dict[str, str] | None] = {
        "search": {"username": encoded, "password": encoded, "unused": encoded},
        "ca": {"k": PEM},
        "client": {"tls.crt": PEM, "tls.key": PEM},
    }
    values = references.storage_values(observed(tracing=JAEGER), secrets)
    assert values is not None
    assert set(values) == {"search/username", "search/password", "ca/k", "client/tls.crt", "client/tls.key"}
    for broken in ({}, {"k": encoded}, {"k": ""}):
        assert references.storage_values(observed(tracing=JAEGER), {**secrets, "ca": broken}) is None
    assert references.storage_values(observed(), {}) == {}


@pytest.mark.parametrize("kind", [DEPLOYMENT, OPENTELEMETRY_COLLECTOR], ids=lambda kind: kind.name)
def test_what_jaeger_reads_rolls_its_pod(kind: Kind) -> None:
    wanted = observed(tracing={**JAEGER, "jaeger": {**JAEGER["jaeger"], "format": kind.name}})

    def annotations(checksum: str) -> Any:
        seen = msgspec.structs.replace(WITH_JAEGER, storage_checksum=checksum)
        built = next(each for each in monitoring_objects(wanted, seen) if each["kind"] == kind.name)["spec"]
        return built.get("podAnnotations", {}) if kind != DEPLOYMENT else built["template"]["metadata"]["annotations"]

    assert annotations("1")[CREDENTIALS_CHECKSUM_ANNOTATION] == "1"
    assert CREDENTIALS_CHECKSUM_ANNOTATION not in annotations("")


def test_authorities_in_a_config_map_are_followed_too() -> None:
    search = {"serverURLs": ["https://s:9200"], "tls": {"ca": {"configMapKeyRef": {"name": "authorities", "key": "k"}}}}
    jaeger = {"storage": {"type": "OpenSearch", "openSearch": search}}
    wanted = observed(tracing={"mode": "Managed", "jaeger": jaeger})
    (source,) = references.sources(wanted)
    assert references.read_source(source) == (CONFIG_MAP, "authorities")
    assert references.read_source("authorities") == (SECRET, "authorities")
    problem = references.lacks(wanted, {source: None})["TracingReady"]
    assert problem.reason == "ConfigMapMissing"
    assert (
        "there is no ConfigMap authorities; spec.monitoring.tracing.jaeger.storage.openSearch.tls.ca" in problem.message
    )
    pem = "-----BEGIN CERTIFICATE-----"
    assert references.storage_values(wanted, {source: {"k": pem}}) == {f"{source}/k": pem}
    problem = references.lacks(wanted, {source: {"k": base64.b64encode(pem.encode()).decode()}})["TracingReady"]
    assert (problem.reason, "key k of ConfigMap authorities is not PEM" in problem.message) == ("KeyInvalid", True)
