"""`POST /generate` and what those who run the service ask it, with the sandbox, over a real socket."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.replicate import TOKEN
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.fakes.processes import RunningService

SMALL = {"prompt": "a lighthouse at dusk", "width": 96, "height": 64}


def post(service: RunningService, body: object, **headers: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/generate", json=body, headers=headers)


def test_the_whole_answer(sandbox: RunningService) -> None:
    answer = post(sandbox, SMALL | {"num_outputs": 2}).json()
    assert answer.keys() == {
        "id", "request_id", "trace_id", "trace_sampled", "status", "model", "provider", "sandbox", "seed",
        "num_outputs", "images", "timings", "cost",
    }  # fmt: skip
    assert (answer["status"], answer["model"], answer["provider"], answer["sandbox"]) == (
        "succeeded",
        "sdxl",
        "sandbox",
        True,
    )
    assert 0 <= answer["seed"] < 2**32
    assert answer["cost"] is None
    assert answer["timings"].keys() == {"queue", "predict", "poll_gap", "fetch", "total"}
    first, second = answer["images"]
    assert (first["content_type"], first["width"], first["height"]) == ("image/png", 96, 64)
    assert base64.b64decode(first["b64_json"]).startswith(b"\x89PNG")
    assert first["b64_json"] != second["b64_json"]


def test_the_returned_seed_draws_the_same_on_another_replica(
    sandbox: RunningService, start: Callable[..., RunningService]
) -> None:
    answer = post(sandbox, SMALL).json()
    again = post(start(SANDBOX), SMALL | {"seed": answer["seed"]}).json()
    assert again["images"] == answer["images"]
    assert post(sandbox, SMALL).json()["images"] != answer["images"]


def test_the_picture_itself(sandbox: RunningService) -> None:
    answer = post(sandbox, SMALL | {"seed": 3}, accept="image/png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert (answer.headers["x-seed"], answer.headers["x-sandbox"]) == ("3", "true")
    refused = post(sandbox, SMALL | {"num_outputs": 2}, accept="image/png")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("headers", [{}, {"accept": "image/png"}, {"prefer": "respond-async"}])
def test_every_answer_names_its_generation(sandbox: RunningService, headers: dict[str, str]) -> None:
    answer = post(sandbox, SMALL, **headers)
    generation_id = answer.headers["x-generation-id"]
    assert answer.headers["x-sandbox"] == "true"
    if "accept" not in headers:
        assert answer.json()["id"] == generation_id
    with sandbox.client() as client:
        assert client.get(f"/generations/{generation_id}").json()["status"] == "succeeded"


@pytest.mark.parametrize("request_id", ["abc-1.2_X", "a" * 64])
def test_a_request_id_is_kept(sandbox: RunningService, request_id: str) -> None:
    answer = post(sandbox, SMALL, **{"x-request-id": request_id})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == request_id
    wait_for(lambda: sandbox.logged("Image generation completed", request_id=request_id))


@pytest.mark.parametrize("request_id", ["", "a" * 65, "a b", 'x"y', "x\u00e9"])
def test_a_harmful_request_id_is_replaced(sandbox: RunningService, request_id: str) -> None:
    answer = post(sandbox, SMALL, **{"x-request-id": request_id.encode()})  # type: ignore[arg-type]
    assert re.fullmatch(r"\d+\.\d{3}-[0-9a-f]{10}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    ("change", "field", "allowed"),
    [
        ({"width": 2049}, "width", {"minimum": 64, "maximum": 2048}),
        ({"height": 63}, "height", {"minimum": 64, "maximum": 2048}),
        ({"num_outputs": 5}, "num_outputs", {"minimum": 1, "maximum": 4}),
        ({"num_outputs": 0}, "num_outputs", {"minimum": 1, "maximum": 4}),
        ({"steps": 501}, "steps", {"minimum": 1, "maximum": 500}),
        ({"steps": 0}, "steps", {"minimum": 1, "maximum": 500}),
        ({"guidance_scale": 51}, "guidance_scale", {"minimum": 1, "maximum": 50}),
        ({"guidance_scale": 0.5}, "guidance_scale", {"minimum": 1, "maximum": 50}),
        ({"seed": -1}, "seed", {"minimum": 0, "maximum": 2**32 - 1}),
        ({"seed": 2**32}, "seed", {"minimum": 0, "maximum": 2**32 - 1}),
        ({"prompt": "x" * 2001}, "prompt", {"max_length": 2000}),
        ({"prompt": "  "}, "prompt", {"min_length": 1}),
        ({"response_format": "jpeg"}, "response_format", {"expected": "'b64_json' or 'url'"}),
    ],
)
def test_bad_input_names_the_field_and_what_is_allowed(
    sandbox: RunningService, change: dict[str, object], field: str, allowed: dict[str, object]
) -> None:
    answer = post(sandbox, SMALL | change)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["errors"][0]["allowed"] == allowed
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_what_is_allowed_is_what_the_named_model_allows(start: Callable[..., RunningService]) -> None:
    small = SANDBOX | {"name": "small", "limits": {"maxWidth": 512}, "defaults": {"width": 64, "height": 64}}
    service = start(SANDBOX, small | {"weight": 0})
    for model, width, most in (("small", 63, 512), ("small", 513, 512), ("sdxl", 63, 2048), (None, 63, 2048)):
        (error,) = post(service, SMALL | {"width": width, "model": model}).json()["errors"]
        assert error == {
            "field": "width",
            "message": f"must be from 64 to {most}",
            "allowed": {"minimum": 64, "maximum": most},
        }


WHOLE: dict[str, dict[str, object]] = {
    "/generate": SMALL,
    "/v1/images/generations": {"prompt": "a lighthouse at dusk", "size": "64x64"},
    "/feedback": {"generation_id": "unknown", "rating": "up"},
}


@pytest.mark.parametrize(
    ("path", "field", "status"),
    [
        ("/generate", "prompt", 422),
        ("/generate", "negative_prompt", 422),
        ("/generate", "model", 404),
        ("/generate", "\ud83d", 422),
        ("/v1/images/generations", "negative_prompt", 400),
        ("/v1/images/generations", "model", 404),
        ("/v1/images/generations", "size", 400),
        ("/v1/images/generations", "user", 200),
        ("/feedback", "comment", 422),
        ("/feedback", "generation_id", 404),
    ],
)
def test_half_a_surrogate_pair_is_no_failure_of_ours(
    sandbox: RunningService, path: str, field: str, status: int
) -> None:
    """JSON can spell what no text can hold: a provider, a log or an answer would be where it fails."""
    errors = sandbox.metric("image_generation_total", status="error")
    with sandbox.client() as client:
        body, headers = json.dumps(WHOLE[path] | {field: "no \ud83d"}), {"content-type": "application/json"}
        assert client.post(path, content=body, headers=headers).status_code == status
    assert sandbox.metric("image_generation_total", status="error") == errors


def test_every_wrong_field_is_named_at_once(sandbox: RunningService) -> None:
    answer = post(sandbox, {"prompt": "", "width": 1, "colour": "red"})
    assert {error["field"] for error in answer.json()["errors"]} == {"prompt", "width", "colour"}


@pytest.mark.parametrize("path", WHOLE)
@pytest.mark.parametrize("count", [21, 64, 65, 7000])
def test_some_of_many_wrong_fields_are_named_and_the_others_counted(
    sandbox: RunningService, path: str, count: int
) -> None:
    """An answer many times as long as the request would hold the event loop up for as long as it is written."""
    with sandbox.client() as client:
        answer = client.post(path, json={f"{field:x}": 0 for field in range(count)} | WHOLE[path])
    openai = path.startswith("/v1/")
    problem = answer.json()["error"] if openai else answer.json()
    assert (answer.status_code, problem["code"]) == ((400, "unknown_parameter") if openai else (422, "invalid_input"))
    assert (problem["message"] if openai else problem["detail"]).startswith(f"{count - 20} more errors than these 20: ")
    assert len(problem.get("errors", [])) == (0 if openai else 20)
    assert len(answer.content) < 4000


def test_what_is_not_json_is_said(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        answer = client.post("/generate", content=b'{"prompt": ', headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "not JSON" in answer.json()["detail"]


def test_an_unknown_model_is_told_the_names(sandbox: RunningService) -> None:
    answer = post(sandbox, SMALL | {"model": "dall-e"})
    assert (answer.status_code, answer.json()["code"], answer.json()["models"]) == (404, "unknown_model", ["sdxl"])


def test_an_oversized_body_is_refused(sandbox: RunningService) -> None:
    whole = json.dumps({"prompt": "x" * 70_000}).encode()
    with sandbox.client() as client:
        for content in (whole, iter([whole[:40_000], whole[40_000:]])):
            answer = client.post("/generate", content=content, headers={"content-type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (413, "content_too_large")


def test_a_body_has_room_for_the_longest_prompts_however_spelled(start: Callable[..., RunningService]) -> None:
    most = 100_000
    service = start(SANDBOX | {"limits": {"maxPromptCharacters": most}})
    with service.client() as client:

        def send(characters: int) -> httpx.Response:
            prompt = "\U0001f600" * characters
            content = json.dumps(SMALL | {"prompt": prompt, "negative_prompt": prompt})
            assert content.count("\\u") == 4 * characters
            return client.post("/generate", content=content, headers={"content-type": "application/json"})

        assert send(most).status_code == 200
        refused = send(most + 1)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
        assert send(most + 2000).status_code == 413


def test_a_prompt_that_is_refused_for_its_length_takes_no_memory(start: Callable[..., RunningService]) -> None:
    """What an error quotes of a prompt is looked for in all its pieces; this one quotes nothing."""
    most = 100_000
    service = start(SANDBOX | {"limits": {"maxPromptCharacters": most}}, T2I_PROMPT_CHARACTERS="0")
    prompt = " ".join(map(str, range(most)))
    assert len(prompt) > 5 * most
    with service.client() as client:
        assert client.post("/generate", json=SMALL).status_code == 200
        before = peak_bytes(service)
        for path, model, status in (
            ("/generate", "sdxl", 422),
            ("/generate", "unknown", 404),
            ("/v1/images/generations", "sdxl", 400),
        ):
            refused = client.post(path, json={"prompt": prompt, "model": model})
            assert (refused.status_code, prompt[:40] in refused.text) == (status, False)
    assert peak_bytes(service) - before < 64 * len(prompt)


def peak_bytes(service: RunningService) -> int:
    """Return the most memory that the service has had."""
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="utf-8")
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kibibytes) * 1024


def test_a_path_that_is_not_there_and_a_method_that_is_not(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        assert client.get("/nowhere").json()["code"] == "not_found"
        answer = client.get("/generate")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/generate", "POST"), ("/v1/images/generations", "POST"), ("/", "GET, HEAD"), ("/health", "GET, HEAD")],
)
def test_a_method_that_is_not_there_is_told_all_that_are(sandbox: RunningService, path: str, allowed: str) -> None:
    with sandbox.client() as client:
        refused = client.delete(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


def test_info_tells_what_runs_and_no_secret(start: Callable[..., RunningService], tmp_path: Path) -> None:
    signing = base64.b64encode(bytes(range(32))).decode()
    secrets = {"keys/alice": "key-of-alice", "signing/k1": signing, "signing/primary": "k1"}
    for path, value in secrets.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(value)
    service = start(
        SDXL,
        T2I_COMMIT="abc1234",
        T2I_API_KEYS_DIR=str(tmp_path / "keys"),
        T2I_SIGNING_KEYS_DIR=str(tmp_path / "signing"),
        LANGTRACE_API_KEY="langtrace-secret",
        LANGTRACE_API_HOST="http://127.0.0.1:9",
        OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_HEADERS="x-token=header-secret",
        OTEL_EXPORTER_OTLP_TRACES_HEADERS="x-token=traces-secret",
    )
    with service.client() as client:
        answer = client.get("/info")
    told = answer.json()
    assert told.keys() == {
        "service", "version", "commit", "authentication", "models", "trace_url", "limits",
    }  # fmt: skip
    assert told["limits"].keys() == {"max_in_flight", "max_queued", "max_queue_seconds", "requests_per_minute"}
    (model,) = told["models"]
    assert model.keys() == {
        "name", "provider", "version", "weight", "timeout_seconds", "price", "limits", "defaults", "state",
    }  # fmt: skip
    assert model["limits"].keys() == {"max_width", "max_height", "max_outputs", "max_steps", "max_prompt_characters"}
    assert model["defaults"].keys() == {
        "width", "height", "steps", "guidance_scale", "negative_prompt", "scheduler",
    }  # fmt: skip
    assert (told["commit"], told["authentication"]) == ("abc1234", "api_key")
    assert (model["provider"], model["state"]) == ("replicate", "closed")
    for secret in (TOKEN, "key-of-alice", signing, "langtrace-secret", "header-secret", "traces-secret"):
        assert secret not in answer.text


@pytest.mark.parametrize("weight", [0, 1])
def test_a_missing_token_is_why_it_is_not_ready(start: Callable[..., RunningService], weight: int) -> None:
    service = start(SDXL | {"weight": 9}, SANDBOX | {"name": "drawn", "weight": weight}, REPLICATE_API_TOKEN="")
    with service.client() as client:
        assert client.get("/health").status_code == 200
        answer = client.get("/ready")
        missing = client.head("/ready")
    assert (answer.status_code, missing.status_code) == (503, 503)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"] == "REPLICATE_API_TOKEN is not set, and sdxl cannot work without it."
    assert (problem["code"], problem["request_id"]) == ("not_ready", answer.headers["x-request-id"])


def test_a_missing_token_is_no_reason_while_only_who_names_its_model_needs_it(
    start: Callable[..., RunningService],
) -> None:
    service = start(SDXL | {"weight": 0}, SANDBOX | {"name": "drawn"}, REPLICATE_API_TOKEN="")
    with service.client() as client:
        assert client.get("/ready").json() == {"status": "ready"}


def test_the_guides_metrics_have_its_names_and_labels(sandbox: RunningService) -> None:
    post(sandbox, SMALL)
    text = sandbox.metrics_text()
    for sample in (
        'http_requests_total{endpoint="/generate",method="POST",status="200"}',
        'http_request_duration_seconds_bucket{endpoint="/generate",le="120.0",method="POST"}',
        "active_requests 0.0",
        'image_generation_total{status="success"}',
        'image_generation_total{status="error"}',
        'image_generation_duration_seconds_bucket{le="120.0"}',
    ):
        assert sample in text, sample


def test_labels_stay_bounded_whatever_is_sent(sandbox: RunningService) -> None:
    with sandbox.client() as client:
        for path in ("/a", "/b", "/generate/../c", "/%00"):
            client.request("PURGE", path)
    endpoints = set(re.findall(r'http_requests_total\{endpoint="([^"]*)",method="([^"]*)"', sandbox.metrics_text()))
    assert ("unmatched", "other") in endpoints
    assert not {endpoint for endpoint, _ in endpoints} & {"/a", "/b", "/c"}


def test_the_log_line_is_the_guides(sandbox: RunningService) -> None:
    answer = post(sandbox, SMALL | {"prompt": "a very long wish " * 20})
    find = {"request_id": answer.json()["request_id"]}
    for event in ("Image generation started", "Image generation completed"):
        (line,) = wait_for(lambda event=event: sandbox.logged(event, **find))
        assert list(line)[:4] == ["timestamp", "level", "logger", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
        assert (line["level"], line["logger"]) == ("info", "app.main")
        assert len(line["prompt"]) == 103
        assert isinstance(line["duration"], float)


def test_drawing_does_not_hold_up_the_event_loop(sandbox: RunningService) -> None:
    answered_meanwhile = 0
    with ThreadPoolExecutor() as threads, sandbox.client() as client:
        drawing = threads.submit(post, sandbox, SMALL | {"width": 2048, "height": 2048, "num_outputs": 4})
        wait_for(lambda: sandbox.metric("active_requests") == 1)
        while not drawing.done():
            assert client.get("/health").status_code == 200
            answered_meanwhile += not drawing.done()
    assert drawing.result().status_code == 200
    assert answered_meanwhile > 1


def test_a_drill_is_turned_on_while_it_runs(start: Callable[..., RunningService], tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [SANDBOX]}))
    service = start(T2I_MODELS_FILE=str(file))
    assert post(service, SMALL).status_code == 200
    file.write_text(json.dumps({"models": [SANDBOX | {"sandbox": {"latency": "300ms", "failureRate": "1"}}]}))
    wait_for(lambda: service.logged("Sandbox knobs changed", latency=0.3, failure_rate=1.0))
    answer = post(service, SMALL)
    assert (answer.status_code, answer.json()["code"]) == (502, "generation_failed")
    assert service.metric("image_generation_total", status="error") == 1
