"""Spans reach a collector by either protocol, over TLS too; what is wrong with that costs counted spans alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dev.cluster import pki
from tests.contract.conftest import SANDBOX
from tests.fakes.collector import Certificates, FakeCollector, collecting
from tests.fakes.processes import RunningService
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GRPC, HTTP = "grpc", "http/protobuf"
PROTOCOL = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
AUTHORITIES = "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE"
CERTIFICATE = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE"
KEY = "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"
HEADERS = {"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=a%20secret,x-tenant=studio=1"}
SPANS = 3
# For how long a batch that cannot be sent is tried again.
BRIEF = {"OTEL_EXPORTER_OTLP_TIMEOUT": "2"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return certificates of two authorities; `kube-apiserver` serves 127.0.0.1, `admin` is a client's."""
    folder = tmp_path_factory.mktemp("pki")
    pki.ensure(folder)
    return folder


@pytest.fixture(scope="module", params=[GRPC, HTTP])
def guarded(request: pytest.FixtureRequest, files: Path) -> Iterator[tuple[FakeCollector, dict[str, str]]]:
    """Yield a collector that speaks TLS and wants a certificate, and the environment that satisfies it."""
    certificates = Certificates(files / "ca.crt", files / "kube-apiserver.crt", files / "kube-apiserver.key")
    with collecting(request.param, certificates) as collector:
        environment = {
            PROTOCOL: request.param,
            "OTLP_ENDPOINT": collector.url,
            AUTHORITIES: str(files / "ca.crt"),
            CERTIFICATE: str(files / "admin.crt"),
            KEY: str(files / "admin.key"),
        }
        yield collector, environment


@pytest.fixture(scope="module")
def collector() -> Iterator[FakeCollector]:
    with collecting(HTTP) as collector:
        yield collector


def generate(service: RunningService) -> dict[str, Any]:
    with service.client() as client:
        answer = client.post("/generate", json={"prompt": "a lighthouse", "width": 64, "height": 64})
    assert answer.status_code == 200
    return dict(answer.json())


def arrived(collector: FakeCollector, service: RunningService) -> dict[str, Any]:
    trace_id = generate(service)["trace_id"]
    return wait_for(lambda: len(trace := collector.trace(trace_id)) == SPANS and trace)


def dropped(service: RunningService) -> str:
    """Return why, as the log says it once."""
    generate(service)
    wait_for(lambda: service.metric("t2i_spans_dropped_total", exporter="otlp", reason="export_failed") == SPANS)
    assert service.metric("t2i_spans_exported_total", exporter="otlp") == 0
    (line,) = wait_for(lambda: service.logged("Spans cannot be exported and are dropped"))
    return str(line["error"])


@pytest.mark.parametrize("path", ["", "/v1/traces", "/v1/traces/"], ids=["base", "whole", "slash"])
def test_spans_go_over_http(start: Callable[..., RunningService], collector: FakeCollector, path: str) -> None:
    service = start(SANDBOX, **{PROTOCOL: HTTP, "OTLP_ENDPOINT": f"{collector.url}{path}"}, **HEADERS)
    trace = arrived(collector, service)
    root = trace["generate_image"]
    assert {span.parent for name, span in trace.items() if name != "generate_image"} == {root.id}
    assert root.resource["service.name"] == "text-to-image"
    assert collector.headers[-1].items() >= {"api-key": "a secret", "x-tenant": "studio=1"}.items()
    wait_for(lambda: service.metric("t2i_spans_exported_total", exporter="otlp") == SPANS)
    assert "a secret" not in "\n".join(service.lines)


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_what_cannot_be_sent_or_read_is_left_out_and_told(start: Callable[..., RunningService], protocol: str) -> None:
    headers = "x-tenant=studio,api-key=hush%0Ahush,rest-of-a-secret,x-clé=hush,b=hush\u20ac"
    with collecting(protocol) as receiver:
        service = start(
            OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TRACES_HEADERS=headers,
            OTEL_EXPORTER_OTLP_HEADERS="unused=of all",
            OTEL_RESOURCE_ATTRIBUTES="k8s.pod.name,=x, k8s.namespace.name=studio",
        )
        resource = arrived(receiver, service)["generate_image"].resource
    assert resource["k8s.namespace.name"] == "studio"
    assert receiver.headers[-1]["x-tenant"] == "studio"
    assert not {"api-key", "unused", "b"} & receiver.headers[-1].keys()
    said = "Headers that cannot be sent are left out of what brings spans"
    (line,) = wait_for(lambda: service.logged(said, level="warning"))
    assert line["headers"] == ["api-key", "number 3", "number 4", "b"]
    said = "Attributes that cannot be read are left out of spans"
    (line,) = wait_for(lambda: service.logged(said, level="warning"))
    assert line["attributes"] == ["k8s.pod.name", "=x"]
    assert not [line for line in service.lines if "hush" in line or "rest-of" in line]


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_where_no_header_can_be_sent_spans_go_without(start: Callable[..., RunningService], protocol: str) -> None:
    with collecting(protocol) as receiver:
        service = start(
            OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TRACES_HEADERS="api-key=hush%0Ahush",
        )
        arrived(receiver, service)
    assert "api-key" not in receiver.headers[-1]


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
@pytest.mark.parametrize("compression", ["none", "GZIP", ""], ids=["none", "gzip", "unset"])
def test_what_opentelemetry_lets_be_said_and_left_empty_costs_no_span(
    start: Callable[..., RunningService], protocol: str, compression: str
) -> None:
    with collecting(protocol) as receiver:
        service = start(
            OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_TRACES_COMPRESSION=compression,
            OTEL_EXPORTER_OTLP_TRACES_TIMEOUT="",
        )
        arrived(receiver, service)


def test_both_sides_show_a_certificate(
    start: Callable[..., RunningService], guarded: tuple[FakeCollector, dict[str, str]], files: Path
) -> None:
    collector, environment = guarded
    others = {"REQUESTS_CA_BUNDLE": str(files / "front-proxy-ca.crt")}
    service = start(SANDBOX, **environment, **HEADERS, **others)
    assert arrived(collector, service)["generate_image"].resource["service.name"] == "text-to-image"
    assert collector.headers[-1]["x-tenant"] == "studio=1"


@pytest.mark.parametrize("trouble", ["another authority", "the public authorities", "no certificate"])
def test_who_is_not_trusted_gets_no_span(
    start: Callable[..., RunningService],
    guarded: tuple[FakeCollector, dict[str, str]],
    files: Path,
    trouble: str,
) -> None:
    collector, environment = guarded
    without = {"the public authorities": {AUTHORITIES}, "no certificate": {CERTIFICATE, KEY}}.get(trouble, set())
    environment = {name: value for name, value in environment.items() if name not in without}
    if trouble == "another authority":
        environment[AUTHORITIES] = str(files / "front-proxy-ca.crt")
    known = len(collector.spans)
    why = dropped(start(SANDBOX, **environment, **BRIEF))
    # Who misses the client's certificate hangs up without a word.
    assert "CERTIFICATE_VERIFY_FAILED" in why or trouble == "no certificate"
    assert len(collector.spans) == known


@pytest.mark.parametrize("path", ["/moved", "/nowhere"])
def test_what_is_no_receiver_gets_counted_spans(
    start: Callable[..., RunningService], collector: FakeCollector, path: str
) -> None:
    service = start(SANDBOX, **{PROTOCOL: HTTP, "OTLP_ENDPOINT": f"{collector.url}{path}"})
    assert dropped(service) == {"/moved": "301 Moved Permanently", "/nowhere": "404 Not Found"}[path]


def test_a_collector_that_is_not_there_is_named(start: Callable[..., RunningService]) -> None:
    service = start(SANDBOX, **{PROTOCOL: HTTP, "OTLP_ENDPOINT": "http://127.0.0.1:9"}, **BRIEF)
    assert "Connection refused" in dropped(service)


def test_a_collector_that_never_answers_is_given_up(start: Callable[..., RunningService]) -> None:
    with collecting(HTTP) as collector:
        collector.hold = True
        try:
            service = start(SANDBOX, **{PROTOCOL: HTTP, "OTLP_ENDPOINT": collector.url}, **BRIEF)
            assert "timed out" in dropped(service)
        finally:
            collector.released.set()


def test_the_port_of_a_url_without_one_is_the_scheme_s(start: Callable[..., RunningService]) -> None:
    assert "127.0.0.1:80," in dropped(start(SANDBOX, OTLP_ENDPOINT="http://127.0.0.1", **BRIEF))


def test_spans_go_again_to_a_collector_that_is_mended(start: Callable[..., RunningService]) -> None:
    with collecting(HTTP) as collector:
        collector.refuse.set()
        service = start(SANDBOX, **{PROTOCOL: HTTP, "OTLP_ENDPOINT": collector.url})
        assert dropped(service) == "400 Bad Request"
        collector.refuse.clear()
        arrived(collector, service)
        wait_for(lambda: service.logged("Spans are exported again"))


def refusal(**environment: str) -> list[str]:
    service = RunningService(environment)
    assert service.wait() == 2
    return service.lines


def test_a_start_names_every_mistake_about_the_collector() -> None:
    missing = {AUTHORITIES: "/nowhere/ca.crt", CERTIFICATE: "/nowhere/tls.crt", KEY: "/nowhere/tls.key"}
    protocol, *absent = refusal(**{PROTOCOL: "http/json", **missing})
    assert protocol == f"{PROTOCOL} is 'http/json': Input should be 'grpc' or 'http/protobuf'."
    assert absent == [f"{name} is '{file}': Path does not point to a file." for name, file in missing.items()]


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_certificates_that_cannot_be_used_cost_spans_and_not_the_start(
    start: Callable[..., RunningService], files: Path, tmp_path: Path, protocol: str
) -> None:
    broken, certificate, key = tmp_path / "broken.crt", files / "admin.crt", files / "ca.key"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    collector = {PROTOCOL: protocol, "OTLP_ENDPOINT": "https://127.0.0.1:9"}
    why = dropped(start(SANDBOX, **collector, **{AUTHORITIES: str(broken)}))
    assert why.startswith(f"ValueError: the authorities in {broken} cannot be used: ")
    why = dropped(start(SANDBOX, **collector, **{CERTIFICATE: str(certificate), KEY: str(key)}))
    assert why == f"ValueError: {certificate} and {key} cannot be used together: key values mismatch"


def test_certificates_need_each_other_and_an_endpoint_that_uses_them(files: Path) -> None:
    plain = {"OTLP_ENDPOINT": "http://127.0.0.1:9"}
    authorities, certificate = refusal(
        **plain, **{AUTHORITIES: str(files / "ca.crt"), CERTIFICATE: str(files / "admin.crt")}
    )
    assert authorities == f"{AUTHORITIES}: certificates need an OTLP_ENDPOINT that begins with https://"
    assert certificate == f"{CERTIFICATE}: certificates need an OTLP_ENDPOINT that begins with https://"
    for alone in ({CERTIFICATE: str(files / "admin.crt")}, {KEY: str(files / "admin.key")}):
        assert refusal(**alone) == [f"{KEY}: it and {CERTIFICATE} need each other: set both or none"]
