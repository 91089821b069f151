"""Jaeger's configuration, read by the real Jaeger: each form is accepted, and one of them is run and sent spans."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from t2i_operator import spec
from t2i_operator.builders.monitoring.jaeger import configuration as ports
from t2i_operator.builders.monitoring.jaeger import memory
from t2i_operator.builders.monitoring.jaeger.configuration import configuration, most_span_series
from t2i_operator.builders.monitoring.service_monitor import jaeger_monitor
from t2i_operator.spec.alerts import DURATION_BUCKETS

from dev.bench.exposition import read
from dev.bench.programs import free_port
from dev.bench.span_metrics import tracing
from dev.bench.spans import of_request, send, with_callers
from dev.stack.jaeger import binary, on_loopback
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.processes import RunningService

# A cold build of Jaeger takes seven minutes on two cores.
pytestmark = pytest.mark.timeout(1500)

SEARCH = {"serverURLs": ["https://search:9200"], "credentialsSecretRef": {"name": "search"}, "indexPrefix": "images"}
CERTIFICATES = {"ca": {"secretKeyRef": {"name": "a", "key": "b"}}, "clientSecretRef": {"name": "c"}}
FORMS: dict[str, dict[str, Any]] = {
    "memory": {},
    "badger": {"storage": {"type": "Badger", "badger": {"retention": "1h30m"}}},
    "elasticsearch": {"storage": {"type": "Elasticsearch", "elasticsearch": SEARCH}},
    # Not a file to be read: there is none.
    "dollars": {"storage": {"type": "OpenSearch", "openSearch": {"serverURLs": ["https://search/${file:/nowhere}"]}}},
    "opensearch": {"storage": {"type": "OpenSearch", "openSearch": SEARCH | {"tls": CERTIFICATES}}},
    "tail sampling": {"tailSampling": {"mode": "Enabled", "slowerThan": "2s500ms"}},
}

# A counter, and a histogram with a bucket for each bound and one for the rest, its sum and its count.
SERIES_A_SET = 1 + len(DURATION_BUCKETS) + 3


@pytest.fixture(scope="module")
def jaeger() -> Path:
    """Return the binary that the local cluster runs."""
    return binary()


def _resource(settings: dict[str, Any]) -> spec.TextToImageService:
    models = [{"name": "sdxl", "provider": "Sandbox", "timeoutSeconds": 1}]
    body = {"models": models, "monitoring": {"tracing": {"jaeger": settings}}}
    return spec.parse({"metadata": {"name": "pictures", "namespace": "studio"}, "spec": body})


def _written(folder: Path, settings: dict[str, Any]) -> Path:
    file = folder / "config.json"
    file.write_text(json.dumps(configuration(_resource(settings))))
    return file


def _validate(jaeger: Path, file: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STORAGE_USERNAME": "user", "STORAGE_PASSWORD": "word"}
    command = [jaeger, "validate", f"--config={file}"]
    return subprocess.run(command, env=environment, text=True, capture_output=True, check=False)  # noqa: S603


@pytest.mark.parametrize("form", FORMS)
def test_jaeger_accepts_it(jaeger: Path, tmp_path: Path, form: str) -> None:
    done = _validate(jaeger, _written(tmp_path, FORMS[form]))
    assert done.returncode == 0, done.stderr


def test_jaeger_would_refuse_what_it_does_not_know(jaeger: Path, tmp_path: Path) -> None:
    """Or the test above could not fail."""
    file = _written(tmp_path, {})
    file.write_text(file.read_text().replace("max_traces", "most_traces"))
    assert "most_traces" in _validate(jaeger, file).stderr


@pytest.mark.parametrize(("protocol", "port"), [("grpc", ports.OTLP_GRPC), ("http/protobuf", ports.OTLP_HTTP)])
def test_the_service_reaches_it_by_either_protocol(
    jaeger: Path, tmp_path: Path, start: Callable[..., RunningService], protocol: str, port: int
) -> None:
    with _running(jaeger, tmp_path / "config.json", _resource({})) as free:
        collector = f"http://127.0.0.1:{free(port)}"
        service = start(OTLP_ENDPOINT=collector, OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=protocol)
        body = {"prompt": "a lighthouse", "width": 64, "height": 64}
        trace = httpx.post(f"{service.url}/generate", json=body, timeout=30).json()["trace_id"]
        wait_for(lambda: _kept(free, trace), 60)
        found = _get(f"http://localhost:{free(ports.QUERY)}/api/traces/{trace}").json()["data"][0]["spans"]
        assert "generate_image" in {span["operationName"] for span in found}
        assert service.metric("t2i_spans_dropped_total", exporter="otlp", reason="export_failed") == 0


def test_tail_sampling_keeps_failures_and_metrics_count_everything(jaeger: Path, tmp_path: Path) -> None:
    resource = _resource({"tailSampling": {"mode": "Enabled", "ratio": "0"}})
    with _running(jaeger, tmp_path / "config.json", resource) as port:
        failed, slow, ordinary = (_send(port, **trace) for trace in ({"failed": True}, {"seconds": 30}, {}))
        wait_for(lambda: _kept(port, failed) and _kept(port, slow), 60)
        assert not _kept(port, ordinary)
        counted = 'span_name="generate_image",status_code="STATUS_CODE_UNSET"} 2'
        metrics = f"http://localhost:{port(ports.SPAN_METRICS)}/metrics"
        wait_for(lambda: counted in _get(metrics).text, 60)
        openmetrics = _get(metrics, headers={"Accept": "application/openmetrics-text"}).text
        assert 'le="120.0"' in openmetrics
        assert f'trace_id="{failed}"' in openmetrics
        assert not _kept(port, ordinary), "nor is it decided later"


def test_a_full_storage_takes_new_traces() -> None:
    """The default for a small pod, twice filled with traces of six spans; the memory limiter has its limit here."""
    resource = _resource({"resources": {"limits": {"memory": "128Mi"}}})
    with tracing(resource) as jaeger:
        rate, seconds = 1500, 2 * memory.kept_traces(resource) / 1500
        address = f"127.0.0.1:{jaeger.port[ports.OTLP_GRPC]}"
        sent = send(address, with_callers(of_request()), rate, seconds, lambda: None)
        assert sent.requests > 1.9 * memory.kept_traces(resource)
        assert sent.refused == 0


def test_whatever_is_sent_span_metrics_are_bounded(jaeger: Path, tmp_path: Path) -> None:
    """A path in a span's name, and a pod's name in the service's; what was heard of last stays."""
    resource, names = _resource({}), [f"caller-{number}" for number in range(1000)]
    bounds = configuration(resource)["connectors"]["spanmetrics"]
    most, sets = bounds["resource_metrics_cache_size"], bounds["aggregation_cardinality_limit"] + 1
    assert most * sets * SERIES_A_SET == most_span_series(resource)
    limit = jaeger_monitor(resource)["spec"]["sampleLimit"]
    with _running(jaeger, tmp_path / "config.json", resource, _hurried) as port:
        metrics = f"http://localhost:{port(ports.SPAN_METRICS)}/metrics"
        _send_all(port, {"strayed": [f"/pictures/{number}" for number in range(1000)]})
        wait_for(lambda: _overflow(_get(metrics).text) == 1001 - sets, 60)
        exposed = _get(metrics).text
        assert len(_samples(exposed)) == sets * SERIES_A_SET
        # A full one of each name, and as many that are forgotten.
        assert len(read(exposed)) * most * 2 <= limit

        _send_all(port, {name: ["call"] for name in names} | {"pictures": ["generate_image"]})
        wait_for(lambda: 'service_name="pictures"' in _get(metrics).text, 60)
        wait_for(lambda: len(_service_names(_get(metrics).text)) <= most, 60)
        assert "pictures" in _service_names(_get(metrics).text)


def _hurried(loaded: dict[str, Any]) -> None:
    """Shorten how long it takes until what is forgotten is no longer shown."""
    loaded["connectors"]["spanmetrics"]["metrics_flush_interval"] = "1s"
    loaded["exporters"]["prometheus"]["metric_expiration"] = "4s"


def _samples(exposed: str) -> list[str]:
    return [line for line in exposed.splitlines() if line.startswith("traces_span_metrics_")]


def _service_names(exposed: str) -> set[str]:
    return set(re.findall(r'service_name="([^"]+)"', exposed))


def _overflow(exposed: str) -> float:
    """Return how many spans were counted in the overflow set."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in _samples(exposed)
        if line.startswith("traces_span_metrics_calls_total") and "otel_metric_overflow" in line
    )


@contextmanager
def _running(
    jaeger: Path,
    file: Path,
    resource: spec.TextToImageService,
    change: Callable[[dict[str, Any]], None] = lambda loaded: None,
) -> Iterator[Callable[[int], int]]:
    """Run it on free ports; yields what tells the free port for each of its own."""
    loaded, free = on_loopback(resource, free_port)
    change(loaded)
    file.write_text(json.dumps(loaded))
    log = file.with_suffix(".log")
    with log.open("w") as output, subprocess.Popen([jaeger, f"--config={file}"], stderr=output, stdout=output) as run:  # noqa: S603
        try:
            health = f"http://localhost:{free[ports.HEALTH]}/status"
            wait_for(lambda: run.poll() is not None or _answers(health), 60)
            assert run.poll() is None, log.read_text()
            yield free.__getitem__
        finally:
            run.terminate()


def _get(url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """Leave it the time that it may need beside all else that runs."""
    return httpx.get(url, headers=headers, timeout=30)


def _answers(url: str) -> bool:
    try:
        return _get(url).status_code == 200
    except httpx.TransportError:
        return False


def _kept(port: Callable[[int], int], trace: str) -> bool:
    return _get(f"http://localhost:{port(ports.QUERY)}/api/traces/{trace}").status_code == 200


def _send(port: Callable[[int], int], *, failed: bool = False, seconds: float = 0.1) -> str:
    """Send one trace of one span; return its id."""
    span = _span("generate_image", seconds) | {"status": {"code": 2} if failed else {}}
    _post(port, {"pictures": [span]})
    return str(span["traceId"])


def _send_all(port: Callable[[int], int], sent: dict[str, list[str]]) -> None:
    """Send a span for each of the names that a service is to have."""
    _post(port, {service: [_span(name, 0.1) for name in names] for service, names in sent.items()})


def _span(name: str, seconds: float) -> dict[str, Any]:
    now = time.time_ns()
    return {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": name,
        "kind": 2,
        "startTimeUnixNano": str(now - int(seconds * 1e9)),
        "endTimeUnixNano": str(now),
    }


def _post(port: Callable[[int], int], sent: dict[str, list[dict[str, Any]]]) -> None:
    spans = [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": of_service}],
        }
        for service, of_service in sent.items()
    ]
    url = f"http://localhost:{port(ports.OTLP_HTTP)}/v1/traces"
    answer = httpx.post(url, json={"resourceSpans": spans}, timeout=30)
    assert answer.status_code == 200, answer.text
