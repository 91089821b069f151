"""No client makes the service expose more series than dev/bench/series.py says, whatever it sends."""

from __future__ import annotations

import base64
import itertools
import json
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from t2i_operator import spec
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_operator.builders.monitoring.service_monitor import service_monitor
from t2i_service.callers.keyring import Keyring, Reference
from t2i_service.observing import telemetry

from dev.bench import series
from dev.bench.exposition import OPENMETRICS, Sample, read
from tests.contract.conftest import SDXL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.processes import RunningService

METHODS = (*telemetry.METHODS, "BREW", "PROPFIND", "get", "X" * 200)
PATHS = (
    "/", "/generate", "/generate/", "/feedback", "/health", "/ready", "/info", "/metrics", "/openapi.json",
    "/docs", "/docs/swagger-ui.css", "/docs/elsewhere.css",
    "/v1/models", "/v1/models/sdxl", "/v1/images/generations", "/generations/a", "/generations/b/images/0",
    "/generations/c/cancel", "/nowhere", "/%2e%2e/etc/passwd", "/generate?a=1", "/wp-login.php",
)  # fmt: skip
PICTURE = {"prompt": "a lighthouse", "width": 64, "height": 64}
BODIES: tuple[dict[str, Any], ...] = (
    PICTURE,
    {},
    *({**PICTURE, "model": f"unknown-{number}"} for number in range(20)),
    *({"generation_id": f"{number}", "rating": rating} for number in range(5) for rating in ("up", "sideways")),
)


def attacked(service: RunningService) -> list[Sample]:
    """Send every method to every path, unknown models, strange bodies, ids and keys; return what is exposed then."""
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for number, (method, path) in enumerate(itertools.product(METHODS, PATHS)):
            client.request(method, path, headers=_strange(number), json={} if method in ("POST", "PUT") else None)
        for number, (path, body) in enumerate(
            itertools.product(("/generate", "/feedback", "/v1/images/generations"), BODIES)
        ):
            client.post(path, json=body, headers=_strange(number))
        for number in range(50):
            client.get(f"/{number}/{'x' * number}")
        client.post("/generate", content=b"{" * 100_000)
        client.post("/generate", content=b"{}")
        for asked in ("bytes=0-9", "bytes=99999999-", "lines=1"):
            client.get("/docs/swagger-ui.css", headers={"range": asked})
        with suppress(httpx.TransportError):  # its connection is cut
            client.get("/info", headers={"x-long": "x" * 40_000})
        return read(client.get("/metrics", headers=OPENMETRICS).text)


def _strange(number: int) -> dict[str, str]:
    return {"x-request-id": f"id-{number}", "authorization": f"Bearer {number}", "user-agent": f"agent-{number}"}


@pytest.fixture(scope="module")
def exposed(start: Callable[..., RunningService]) -> list[Sample]:
    return attacked(start({"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.01"}}))


@pytest.fixture(scope="module")
def endpoints(sandbox: RunningService) -> set[str]:
    return series.endpoints_of(httpx.get(f"{sandbox.url}/openapi.json", timeout=30).json())


def test_no_metric_has_more_series_than_its_bound(exposed: list[Sample], endpoints: set[str]) -> None:
    most = series.bound(series.Extent(), endpoints)
    counted = Counter(_metric(sample.name) for sample in exposed)
    assert {name: count for name, count in counted.items() if count > most[name]} == {}
    assert counted["http_requests_total"] > 100, "or the attack has not reached the service"


def test_errors_and_ratings_of_a_model_that_is_gone_are_within_the_bound(
    start: Callable[..., RunningService], endpoints: set[str], tmp_path: Path
) -> None:
    """As a rollout has it: the id is of a pod with other models."""
    (tmp_path / "k1").write_text(base64.b64encode(bytes(32)).decode())
    (tmp_path / "primary").write_text("k1")
    service = start(SDXL, T2I_SIGNING_KEYS_DIR=str(tmp_path))
    gone = Reference("gone", "replicate", "nowhere", 1, "", "", "request", int(time.time()) + 600, "")
    generation_id = Keyring(tmp_path).id_of(gone)
    httpx.get(f"{service.url}/generations/{generation_id}")
    httpx.post(f"{service.url}/feedback", json={"generation_id": generation_id, "rating": "up"})
    assert service.metric("t2i_model_upstream_errors_total", model=telemetry.OTHER, reason="not_found") == 1
    assert service.metric("t2i_model_feedback_total", model=telemetry.OTHER, rating="up") == 1
    counted = Counter(_metric(sample.name) for sample in read(httpx.get(f"{service.url}/metrics").text))
    most = series.bound(series.Extent(), endpoints)
    assert {name: count for name, count in counted.items() if count > most[name]} == {}


def test_labels_have_no_value_that_the_bound_does_not_count(exposed: list[Sample], endpoints: set[str]) -> None:
    seen: dict[str, set[str]] = {}
    for name, value in itertools.chain.from_iterable(
        _labels(each) for each in exposed if each.name.startswith("http_")
    ):
        seen.setdefault(name, set()).add(value)
    assert seen["method"] <= {*telemetry.METHODS, telemetry.OTHER}
    assert seen["endpoint"] == {*endpoints, telemetry.UNMATCHED}
    assert seen["status"] <= {str(status) for status in series.http_statuses()}
    assert {"206", "400", "413", "415", "416", "431"} <= seen["status"], "or the attack has not reached who answers so"


def test_a_scrape_may_have_thrice_what_a_pod_exposes(endpoints: set[str]) -> None:
    """Beyond the limit all of it is dropped, and the service seems to be down: a Secret full of keys must fit, too."""
    models, keys_of_32_characters = 32, 2**20 // 32
    limit = service_monitor(parsed())["spec"]["sampleLimit"]
    assert 3 * sum(series.bound(series.Extent(models), endpoints).values()) <= limit
    assert sum(series.bound(series.Extent(models, keys=keys_of_32_characters), endpoints).values()) <= limit


def test_rules_make_no_more_series_than_their_bound(rules: list[dict[str, Any]]) -> None:
    """A rule is one series, but for signals and their bands; what is pending or firing is two more."""
    assert series.recorded(rules, series.Extent())["recorded"] <= 102
    assert series.recorded(rules, series.Extent(models=32, currencies=32))["recorded"] <= 102 + 10 * 31


def test_rules_of_the_default_resource_are_small(rules: list[dict[str, Any]]) -> None:
    """The Prometheus Operator packs them into ConfigMaps of 512 KiB: seventeen services share one."""
    assert len(json.dumps(rules)) <= 30_000
    assert len(yaml.safe_dump({"groups": rules})) <= 30_000


def test_an_objective_with_burn_rules_of_its_own_has_no_more_alerts(rules: list[dict[str, Any]]) -> None:
    modest = built(alerts={"slo": {"availability": "0.9"}})
    assert sum(len(group["rules"]) for group in modest) > sum(len(group["rules"]) for group in rules)
    alerts = [series.recorded(groups, series.Extent())["alerts"] for groups in (modest, rules)]
    assert alerts[0] == alerts[1]


@pytest.fixture
def rules() -> list[dict[str, Any]]:
    return built()


def parsed(**monitoring: Any) -> spec.TextToImageService:
    metadata = {"name": "text-to-image", "namespace": "text-to-image"}
    models = [{"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.01"}}]
    return spec.parse({"metadata": metadata, "spec": {"models": models, "monitoring": monitoring}})


def built(**monitoring: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = prometheus_rule(parsed(**monitoring))["spec"]["groups"]
    return groups


def _metric(sample: str) -> str:
    """Name the metric whose sample this is."""
    for metric in telemetry.METRICS:
        parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        if sample in {metric.name + part for part in parts}:
            return metric.name
    assert sample.startswith(("python_", "process_")), f"nobody has declared {sample}"
    return "python and process"


def _labels(sample: Sample) -> Iterator[tuple[str, str]]:
    for pair in sample.labels.split(",") if sample.labels else ():
        name, _, value = pair.partition("=")
        yield name, value.strip('"')
