"""The program: how it starts, how it refuses to, and how it ends without losing anything."""

from __future__ import annotations

import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest

from dev.bench.programs import free_port
from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.collector import collecting
from tests.fakes.processes import RunningService
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.replicate import FakeReplicate

SLOW = SANDBOX | {"sandbox": {"latency": "6s"}}
# Begun before the pod drains, it ends while the pod does.
QUICKER = SANDBOX | {"name": "quicker", "weight": 0, "sandbox": {"latency": "4s"}}


def refusal(**environment: str) -> tuple[int, str]:
    service = RunningService(environment)
    return service.wait(), "\n".join(service.lines)


def generate(service: RunningService) -> httpx.Response:
    with service.client() as client:
        return client.post("/generate", json={"prompt": "a lighthouse", "width": 64, "height": 64})


def test_every_wrong_setting_is_named_at_once() -> None:
    status, text = refusal(LOG_LEVEL="LOUD", OTLP_ENDPOINT="jaeger", T2I_MAX_IN_FLIGHT="none", T2I_SAMPLING_RATIO="2")
    assert status == 2
    assert "LOG_LEVEL is 'LOUD': it must be one of DEBUG, INFO, WARNING, ERROR." in text
    for name in ("OTLP_ENDPOINT", "T2I_MAX_IN_FLIGHT", "T2I_SAMPLING_RATIO"):
        assert f"{name} is " in text


COLLECTOR = {"OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.mark.parametrize("of", ["", "TRACES_"], ids=["all", "traces"])
@pytest.mark.parametrize("compression", ["brotli", "deflate"])
def test_what_would_be_found_out_in_a_thread_is_named_at_once(of: str, compression: str) -> None:
    wrong = {
        "T2I_HOST": "no.such.host.invalid",
        f"OTEL_EXPORTER_OTLP_{of}TIMEOUT": "soon",
        f"OTEL_EXPORTER_OTLP_{of}COMPRESSION": compression,
    }
    status, text = refusal(**wrong, **COLLECTOR)
    assert status == 2
    assert sorted(line.split(":")[0].split(" is ")[0] for line in text.splitlines()) == sorted(wrong)


UNUSED = {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon", "OTEL_EXPORTER_OTLP_COMPRESSION": "brotli"}
FOR_TRACES = {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "gzip"}


@pytest.mark.parametrize(
    "environment",
    [UNUSED, UNUSED | FOR_TRACES | COLLECTOR, dict.fromkeys({**UNUSED, **FOR_TRACES}, " ") | COLLECTOR],
    ids=["no collector", "others for traces", "blank"],
)
def test_what_is_not_used_stops_no_start(start: Callable[..., RunningService], environment: dict[str, str]) -> None:
    assert generate(start(**environment)).status_code == 200


@pytest.mark.parametrize(
    "url", ["jaeger", "https://[jaeger", "https://jaeger:99999", "https://jaeger?a=b", "https://jaeger/#trace"]
)
def test_a_trace_url_that_cannot_be_used_costs_the_links_alone(start: Callable[..., RunningService], url: str) -> None:
    service = start(T2I_TRACE_URL=url)
    with service.client() as client:
        assert client.get("/info").json()["trace_url"] is None
    said = "T2I_TRACE_URL cannot be used, and no link leads to a trace"
    (line,) = wait_for(lambda: service.logged(said, level="warning"))
    assert line["url"] == url


def test_an_address_of_another_machine_is_no_host() -> None:
    wanted = "T2I_HOST: '192.0.2.1' is no address of this machine: write one to listen on, or none for all."
    assert refusal(T2I_HOST="192.0.2.1") == (2, wanted)


def test_without_a_host_it_listens_on_both_kinds_of_address() -> None:
    """A cluster's pods may have an address of IPv6 alone, and the kubelet asks there."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    port = free_port()
    service = RunningService({"T2I_HOST": "", "T2I_PORT": str(port)})
    try:
        wait_for(lambda: any(f"Uvicorn running on http://0.0.0.0:{port} " in line for line in service.lines))
        for address in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{address}:{port}/health", trust_env=False).status_code == 200
    finally:
        assert service.stop() == 0


@pytest.mark.parametrize("variable", ["REPLICATE_API_TOKEN", "LANGTRACE_API_KEY"])
@pytest.mark.parametrize("inside", ["\n", "\x7f", "é"], ids=["newline", "control", "accent"])
def test_what_no_header_can_hold_is_refused_and_not_shown(variable: str, inside: str) -> None:
    status, text = refusal(**{variable: f"r8_first{inside}second"})
    assert status == 2
    assert text.startswith(f"{variable}: it holds a line break")
    assert ("first" in text, "second" in text) == (False, False)


@pytest.mark.parametrize("variable", ["T2I_MAX_QUEUE_SECONDS", "T2I_DRAIN_SECONDS", "T2I_GRACE_SECONDS"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_a_time_without_end_is_refused(variable: str, value: str) -> None:
    status, text = refusal(**{variable: value})
    assert (status, text) == (2, f"{variable} is '{value}': Input should be a finite number.")


@pytest.mark.parametrize("url", ["https://a/?", "https://a?b=c", "https://a/b#c"], ids=["empty", "query", "fragment"])
def test_a_public_url_that_no_path_can_follow_is_refused(url: str) -> None:
    wanted = "T2I_PUBLIC_URL: links begin with it, so it can have neither ? nor #."
    assert refusal(T2I_PUBLIC_URL=url) == (2, wanted)


def test_what_settings_lead_to_is_named_with_them(tmp_path: Path) -> None:
    keys, signing, models = tmp_path / "keys", tmp_path / "signing", tmp_path / "models.json"
    keys.mkdir()
    signing.mkdir()
    (keys / "broken").write_bytes(b"\xff\xfe")
    (signing / "primary").write_text("k1")
    models.write_text('{"models": [{"name": "a", "provider": "Other"}, {"provider": "Sandbox"}]}')
    folders = {"T2I_API_KEYS_DIR": str(keys), "T2I_SIGNING_KEYS_DIR": str(signing)}
    status, text = refusal(LOG_LEVEL="LOUD", T2I_MODELS_FILE=str(models), **folders)
    assert status == 2
    log_level, models_file, api_keys, signing_keys = text.splitlines()
    assert log_level.startswith("LOG_LEVEL is 'LOUD'")
    assert models_file.startswith(f"T2I_MODELS_FILE: {models} is wrong: ")
    assert ("models.0.provider: " in models_file, "models.1.name: " in models_file) == (True, True)
    assert api_keys == f"T2I_API_KEYS_DIR: The API keys in {keys} cannot be used: 'broken' is not UTF-8 text"
    assert signing_keys.startswith(f"T2I_SIGNING_KEYS_DIR: The signing keys in {signing} cannot be used: ")


def test_a_missing_models_file_is_said() -> None:
    status, text = refusal(T2I_MODELS_FILE="/nowhere/models.json")
    assert status == 2
    assert text == "T2I_MODELS_FILE: /nowhere/models.json cannot be read: No such file or directory."


def test_a_port_in_use_is_an_error(sandbox: RunningService) -> None:
    status, text = refusal(T2I_PORT=sandbox.url.rpartition(":")[2])
    assert status != 0
    assert "address already in use" in text


@pytest.mark.parametrize(("level", "debugs"), [("debug", True), ("INFO", False)])
def test_log_levels_are_taken_in_either_case(start: Callable[..., RunningService], level: str, *, debugs: bool) -> None:
    service = start(SANDBOX, LOG_LEVEL=level)
    with service.client() as client:
        client.get("/health")
        client.get("/info")
    wait_for(lambda: service.logged("Request served", endpoint="/info"))
    assert bool(service.logged("Request served", endpoint="/health", level="debug")) is debugs


def test_sigterm_turns_unready_at_once_keeps_accepting_and_loses_nothing(start: Callable[..., RunningService]) -> None:
    service = start(SLOW, QUICKER, T2I_DRAIN_SECONDS="5")
    body = {"prompt": "in flight", "width": 64, "height": 64}
    answers: list[tuple[int, str | None]] = []

    def ask(model: str) -> None:
        with service.client() as client:
            answer = client.post("/generate", json=body | {"model": model})
        answers.append((answer.status_code, answer.headers.get("connection")))

    before = [threading.Thread(target=ask, args=(model,)) for model in ("sdxl", "quicker")]
    for each in before:
        each.start()
    wait_for(lambda: len(service.logged("Image generation started")) == 2)
    service.process.send_signal(signal.SIGTERM)
    with service.client() as client:
        ready = wait_for(lambda: (answer := client.get("/ready")).status_code == 503 and answer)
        assert "shutting down" in ready.json()["detail"]
        health = client.get("/health")
        # A connection kept open would be cut, with the next request on it, when accepting ends.
        assert (health.status_code, health.headers["connection"]) == (200, "close")
    after = threading.Thread(target=ask, args=("sdxl",))
    after.start()
    assert service.wait() == 0
    for each in (*before, after):
        each.join()
    assert answers == [(200, "close")] * 3
    assert len(service.logged("Image generation completed")) == 3


def test_what_outlives_the_grace_period_is_answered_stopped_and_told(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    replicate.knobs.predict_seconds = 60
    with collecting() as collector:
        service = start(
            SDXL, OTLP_ENDPOINT=collector.url, T2I_GRACE_SECONDS="3", T2I_MAX_IN_FLIGHT="1", T2I_MAX_QUEUE_SECONDS="30"
        )
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(generate, service) for _ in range(2)]
            wait_for(replicate.running)
            wait_for(lambda: service.metric("t2i_generations_queued") == 1)
            service.process.send_signal(signal.SIGTERM)
            answers = [future.result() for future in asked]
        assert service.wait() == 0
        roots = [span for span in collector.spans if span.name == "generate_image"]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "stopping")}
    # Only the one that waited for a slot may be asked for again.
    assert [answer.headers.get("x-should-retry") for answer in answers].count("false") == 1
    assert replicate.statuses() == ["canceled"]
    lines = service.logged("Image generation abandoned", runs_on=False)
    assert {line["prediction_id"] for line in lines} == {*replicate.predictions, ""}
    assert len(service.logged("Image generation failed", level="error")) == 2
    assert {root.trace_id for root in roots} == {line["trace_id"] for line in lines}
    assert {root.attributes["error.type"] for root in roots} == {"stopping"}
    assert {root.attributes["http.response.status_code"] for root in roots} == {503}
    # No scrape can see what the end of the grace period counts, so the log tells it.
    (told,) = service.logged("Counted since the last scrape")
    (record,) = replicate.predictions.values()
    assert told["counted"] == {
        't2i_model_generations_total{model="sdxl",provider="replicate",status="error"}': 2,
        't2i_model_cost_total{currency="USD",model="sdxl"}': pytest.approx((record.ended - record.started) * 0.000975),
        "t2i_generations_abandoned_total": 2,
    }
    assert told["totals"] == told["counted"]


def test_whoever_reads_the_metrics_takes_no_total_from_the_log(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL)
    assert generate(service).status_code == 200
    cost = service.metric("t2i_model_cost_total", model="sdxl", currency="USD")
    assert service.stop() == 0
    (told,) = service.logged("Counted since the last scrape")
    assert told["counted"] == {}
    assert told["totals"] == {
        't2i_model_generations_total{model="sdxl",provider="replicate",status="success"}': 1,
        't2i_model_cost_total{currency="USD",model="sdxl"}': pytest.approx(cost),
    }
