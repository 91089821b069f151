"""LangTrace gets every model call and opinion, whatever becomes of the other exporter, and nothing else gets out."""

from __future__ import annotations

import base64
import json
import re
import socket
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from t2i_service.callers.access import ANONYMOUS
from t2i_service.observing import telemetry
from t2i_service.routes.feedback import MAX_WAITING
from t2i_service.tracing.langtrace import SCORES

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.collector import collecting
from tests.fakes.langtrace import KEY, FakeLangTrace
from tests.fakes.processes import RunningService, serving
from tests.programs import installed
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.replicate import FakeReplicate

PROMPT = "a lighthouse at dusk, with a boat"
SMALL = {"prompt": PROMPT, "width": 64, "height": 64}
FOREIGN = "other-vendor=super=secret"


@pytest.fixture(scope="module")
def langtrace_server() -> Iterator[tuple[FakeLangTrace, str]]:
    fake = FakeLangTrace()
    with serving(fake.app) as url:
        yield fake, url


@pytest.fixture
def langtrace(langtrace_server: tuple[FakeLangTrace, str]) -> FakeLangTrace:
    return langtrace_server[0]


@pytest.fixture(scope="module")
def told(start: Callable[..., RunningService], langtrace_server: tuple[FakeLangTrace, str]) -> RunningService:
    """Start a service whose trace store is down and samples nothing."""
    return start(
        SDXL,
        LANGTRACE_API_KEY=f"{KEY}\n",
        LANGTRACE_API_HOST=langtrace_server[1],
        OTLP_ENDPOINT="http://127.0.0.1:9",
        OTEL_EXPORTER_OTLP_HEADERS=FOREIGN,
        T2I_SAMPLING_RATIO="0",
        T2I_PROMPT_CHARACTERS="12",
    )


def generate(service: RunningService, **body: Any) -> dict[str, Any]:
    with service.client() as client:
        return dict(client.post("/generate", json=SMALL | body).json())


def span_of(langtrace: FakeLangTrace, trace_id: str) -> dict[str, Any]:
    return wait_for(lambda: next((span for span in langtrace.spans if span["traceId"] == trace_id), {}))


def test_a_model_call_arrives_with_all_that_is_known(
    told: RunningService, langtrace: FakeLangTrace, replicate: FakeReplicate
) -> None:
    replicate.knobs.predict_seconds = 0.2
    answer = generate(told, seed=4)
    span = span_of(langtrace, answer["trace_id"])
    assert span["name"] == "replicate_sdxl"
    attributes = span["attributes"]
    assert telemetry.LANGTRACE_ATTRIBUTES <= attributes.keys() <= telemetry.LANGTRACE_ATTRIBUTES | telemetry.ATTRIBUTES
    assert attributes["langtrace.service.name"] == "Replicate"
    assert attributes["langtrace.service.type"] == "llm"
    assert (attributes["gen_ai.request.model"], attributes["request_id"]) == ("sdxl", answer["request_id"])
    assert attributes["gen_ai.usage.cost.amount"] == pytest.approx(answer["cost"]["amount"])
    assert attributes["duration"] > 0.2
    assert not [name for name in attributes if "token" in name]
    (event,) = span["events"]
    assert event["name"] == "gen_ai.content.prompt"
    assert json.loads(event["attributes"]["gen_ai.prompt"]) == [{"role": "user", "content": "a lighthouse..."}]
    assert {span["name"] for span in langtrace.spans} == {"replicate_sdxl"}


def test_tokens_arrive_where_they_are_reported(
    told: RunningService, langtrace: FakeLangTrace, replicate: FakeReplicate
) -> None:
    replicate.knobs.tokens = {"input_token_count": 7, "output_token_count": 1056}
    attributes = span_of(langtrace, generate(told)["trace_id"])["attributes"]
    assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (7, 1056)


def test_what_a_stopping_pod_leaves_running_is_said_to_be_abandoned(
    start: Callable[..., RunningService], langtrace_server: tuple[FakeLangTrace, str], replicate: FakeReplicate
) -> None:
    langtrace, url = langtrace_server
    with collecting() as collector:
        service = start(
            SDXL,
            LANGTRACE_API_KEY=KEY,
            LANGTRACE_API_HOST=url,
            OTLP_ENDPOINT=collector.url,
            T2I_GRACE_SECONDS="3",
        )
        generate(service)
        for exporter in ("langtrace", "otlp"):  # loaded beside requests, which takes longer than a stop may
            wait_for(lambda exporter=exporter: service.metric("t2i_spans_exported_total", exporter=exporter) > 0)
        replicate.knobs.predict_seconds = 60
        with service.client() as client:
            trace_id = client.post("/generate", json=SMALL, headers={"prefer": "respond-async"}).json()["trace_id"]
        assert service.stop() == 0
        span = collector.trace(trace_id)["replicate_sdxl"]
    assert replicate.running()
    assert (span.attributes["status"], span.span.status.code) == ("abandoned", 0)
    assert span_of(langtrace, trace_id)["attributes"]["status"] == "abandoned"


def test_no_other_vendors_header_is_sent_along(
    told: RunningService, langtrace: FakeLangTrace, replicate: FakeReplicate
) -> None:
    span_of(langtrace, generate(told)["trace_id"])
    assert all("other-vendor" not in headers for headers in langtrace.headers)
    assert "super=secret" not in "\n".join(told.lines)
    assert KEY not in "\n".join(told.lines)
    assert told.metric("t2i_spans_exported_total", exporter="langtrace") >= 1


def test_the_whole_prompt_only_when_asked_for(
    start: Callable[..., RunningService], langtrace_server: tuple[FakeLangTrace, str]
) -> None:
    langtrace, url = langtrace_server
    service = start(
        SANDBOX,
        LANGTRACE_API_KEY=KEY,
        LANGTRACE_API_HOST=f"{url}/api/trace",
        T2I_LANGTRACE_PROMPTS="Full",
        T2I_PROMPT_CHARACTERS="0",
    )
    span = span_of(langtrace, generate(service)["trace_id"])
    assert PROMPT in span["events"][0]["attributes"]["gen_ai.prompt"]
    assert "lighthouse" not in "\n".join(service.lines)


def test_feedback_is_counted_and_becomes_an_evaluation_of_that_span(
    told: RunningService, langtrace: FakeLangTrace, replicate: FakeReplicate
) -> None:
    answer = generate(told)
    span = span_of(langtrace, answer["trace_id"])
    span_id = base64.b64encode(bytes.fromhex(span["context"]["span_id"].removeprefix("0x"))).decode()
    with told.client() as client:
        body = {"generation_id": answer["id"], "rating": "up", "comment": "what a very fine boat"}
        assert client.post("/feedback", json=body).status_code == 202
        wait_for(lambda: langtrace.evaluations.get(span_id, {}).get("userScore") == 1)
        client.post("/feedback", json=body | {"rating": "down"})
        wait_for(lambda: langtrace.evaluations[span_id]["userScore"] == -1)
        client.post("/feedback", json=body)
        wait_for(lambda: langtrace.evaluations[span_id]["userScore"] == 1)
    trace_id = base64.b64encode(bytes.fromhex(answer["trace_id"])).decode()
    assert langtrace.evaluations[span_id]["traceId"] == trace_id
    assert langtrace.methods == ["GET", "POST", "GET", "PUT", "GET", "PUT"]
    assert [told.metric("t2i_model_feedback_total", model="sdxl", rating=word) for word in ("up", "down")] == [1, 1]
    (line, *_) = told.logged("Feedback received")
    assert (line["rating"], line["comment"]) == ("up", "what a very ...")


def test_the_sdks_own_client_says_the_same(
    told: RunningService,
    langtrace_server: tuple[FakeLangTrace, str],
    replicate: FakeReplicate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from langtrace_python_sdk import SendUserFeedback  # type: ignore[import-untyped]  # noqa: PLC0415 - takes seconds

    langtrace, url = langtrace_server
    for name, value in {"LANGTRACE_API_KEY": KEY, "LANGTRACE_API_HOST": url, "no_proxy": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    answer = generate(told)
    span = int(span_of(langtrace, answer["trace_id"])["context"]["span_id"], 16)
    span_id = base64.b64encode(span.to_bytes(8)).decode()

    def ours(rating: str) -> None:
        with told.client() as client:
            client.post("/feedback", json={"generation_id": answer["id"], "rating": rating})

    def theirs(rating: str) -> None:
        ids = {"spanId": str(span), "traceId": str(int(answer["trace_id"], 16)), "userId": ANONYMOUS}
        SendUserFeedback().evaluate(ids | {"userScore": SCORES[rating]})

    said = []
    for tell in (ours, theirs):
        langtrace.methods.clear()
        langtrace.evaluations.clear()
        for rating, score in SCORES.items():
            tell(rating)
            wait_for(lambda score=score: langtrace.evaluations.get(span_id, {}).get("userScore") == score)
            said.append(langtrace.evaluations[span_id])
        assert langtrace.methods == ["GET", "POST", "GET", "PUT"]
    assert said[:2] == said[2:]


def test_a_rating_that_is_sent_again_is_told_again(
    told: RunningService, langtrace: FakeLangTrace, replicate: FakeReplicate
) -> None:
    body = {"generation_id": generate(told)["id"], "rating": "up"}
    known, langtrace.refused = set(langtrace.evaluations), 1
    with told.client() as client:
        client.post("/feedback", json=body)
        wait_for(lambda: told.logged("langtrace took no feedback"))
        client.post("/feedback", json=body)
        (span_id,) = wait_for(lambda: langtrace.evaluations.keys() - known)
        # As another pod tells it, which knows nothing of this one's.
        langtrace.evaluations[span_id]["userScore"] = -1
        client.post("/feedback", json=body)
        wait_for(lambda: langtrace.evaluations[span_id]["userScore"] == 1)


def test_generations_under_way_leave_room_for_feedback(
    start: Callable[..., RunningService],
    langtrace_server: tuple[FakeLangTrace, str],
    langtrace: FakeLangTrace,
    replicate: FakeReplicate,
) -> None:
    keys = {"LANGTRACE_API_KEY": KEY, "LANGTRACE_API_HOST": langtrace_server[1]}
    service = start(SDXL, **keys, T2I_MAX_IN_FLIGHT=str(2 * MAX_WAITING), T2I_GRACE_SECONDS="2")
    replicate.knobs.predict_seconds = 60
    known = set(langtrace.evaluations)
    with service.client() as client:
        for _ in range(MAX_WAITING + 1):
            answer = client.post("/generate", json=SMALL, headers={"prefer": "respond-async"})
        client.post("/feedback", json={"generation_id": answer.json()["id"], "rating": "up"})
    wait_for(lambda: langtrace.evaluations.keys() - known)
    assert not service.logged("langtrace was not told the feedback")


def test_feedback_under_way_has_a_bound(start: Callable[..., RunningService]) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=2 * MAX_WAITING) as silent:
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        service = start(SANDBOX, LANGTRACE_API_KEY=KEY, LANGTRACE_API_HOST=host, T2I_GRACE_SECONDS="2")
        body = {"generation_id": generate(service)["id"], "rating": "up"}
        with service.client() as client:
            for _ in range(MAX_WAITING):
                client.post("/feedback", json=body)
            assert not service.logged("langtrace was not told the feedback")
            assert client.post("/feedback", json=body).status_code == 202
        wait_for(lambda: service.logged("langtrace was not told the feedback", level="warning"))
        service.stop()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"generation_id": "made-up", "rating": "up"}, 404),
        ({"generation_id": "x", "rating": "fine"}, 422),
        ({"generation_id": "x", "rating": "up", "comment": "x" * 1001}, 422),
    ],
)
def test_feedback_on_nothing_is_refused(told: RunningService, body: dict[str, str], status: int) -> None:
    with told.client() as client:
        assert client.post("/feedback", json=body).status_code == status


@pytest.mark.parametrize(
    ("path", "key", "answered"),
    [
        (None, KEY, ""),
        ("", "not-the-key", ": it answered 401"),
        ("/moved", KEY, ": it answered 302"),
        ("/same", KEY, ": it answered 304"),
    ],
    ids=["nobody", "wrong key", "redirect", "no success"],
)
def test_langtrace_in_trouble_costs_counted_spans(
    start: Callable[..., RunningService],
    langtrace_server: tuple[FakeLangTrace, str],
    path: str | None,
    key: str,
    answered: str,
) -> None:
    langtrace, url = langtrace_server
    address = "http://127.0.0.1:9" if path is None else f"{url}{path}"
    service = start(SANDBOX, LANGTRACE_API_KEY=key, LANGTRACE_API_HOST=address)
    answer = generate(service)
    assert answer["status"] == "succeeded"
    wait_for(lambda: service.metric("t2i_spans_dropped_total", exporter="langtrace", reason="export_failed") == 1)
    with service.client() as client:
        client.post("/feedback", json={"generation_id": answer["id"], "rating": "up"})
    wait_for(lambda: service.logged("langtrace took no feedback"))
    (line,) = wait_for(lambda: service.logged("Spans cannot be exported and are dropped", exporter="langtrace"))
    assert line["error"] == f"{address} did not take them{answered}"
    assert service.metric("t2i_spans_exported_total", exporter="langtrace") == 0
    assert not langtrace.followed


def test_without_a_key_the_log_says_so(sandbox: RunningService) -> None:
    assert sandbox.logged("langtrace is off")


WATCHED = """
import json, sys, threading

class Watch:
    def find_spec(name, path=None, target=None):
        if name == "langtrace_python_sdk":
            print(json.dumps({"event": "imported", "thread": threading.current_thread().name}), flush=True)

sys.meta_path.insert(0, Watch)
from t2i_service import main
main.main()
"""


@pytest.mark.parametrize(("key", "threads"), [("", []), (KEY, ["export-langtrace"])])
def test_the_sdk_is_imported_off_the_event_loop_and_only_with_a_key(
    langtrace_server: tuple[FakeLangTrace, str], tmp_path: Path, key: str, threads: list[str]
) -> None:
    (tmp_path / "watched.py").write_text(WATCHED)
    models = tmp_path / "models.json"
    models.write_text(json.dumps({"models": [SANDBOX]}))
    environment = {"T2I_MODELS_FILE": str(models), "LANGTRACE_API_KEY": key, "LANGTRACE_API_HOST": langtrace_server[1]}
    service = RunningService(environment, under=[sys.executable, str(tmp_path / "watched.py")])
    try:
        service.wait_until_up()
        assert generate(service)["status"] == "succeeded"
        if key:
            wait_for(lambda: service.metric("t2i_spans_exported_total", exporter="langtrace") == 1)
    finally:
        service.stop()
    assert [line["thread"] for line in service.logged("imported")] == threads


# Whatever of these names an address has it in its record: a datagram needs no `connect`.
SENDING = "connect,sendto,sendmsg,sendmmsg"
STRACE = ("-D", "-f", "-qq", "--seccomp-bpf", "-e", f"trace={SENDING}")


def test_only_configured_addresses_are_connected_to(
    langtrace_server: tuple[FakeLangTrace, str], replicate: FakeReplicate, tmp_path: Path
) -> None:
    langtrace, url = langtrace_server
    record, models = tmp_path / "connects", tmp_path / "models.json"
    models.write_text(json.dumps({"models": [SDXL]}))
    with collecting() as collector:
        configured = {urlsplit(address).port for address in (url, replicate.base_url, collector.url)}
        service = RunningService(
            {
                "T2I_MODELS_FILE": str(models),
                "T2I_REPLICATE_API_URL": replicate.base_url,
                "REPLICATE_API_TOKEN": "r8_FakeTokenOfTheFakeReplicate0000000000",
                "LANGTRACE_API_KEY": KEY,
                "LANGTRACE_API_HOST": url.replace("127.0.0.1", "localhost"),
                "OTLP_ENDPOINT": collector.url,
            },
            under=[installed("strace"), *STRACE, "-o", str(record)],
        )
        try:
            service.wait_until_up(seconds=60)
            answer = generate(service)
            span_of(langtrace, answer["trace_id"])
            wait_for(lambda: collector.trace(answer["trace_id"]))
            known = len(langtrace.methods)
            with service.client() as client:
                client.post("/feedback", json={"generation_id": answer["id"], "rating": "up"})
            wait_for(lambda: len(langtrace.methods) == known + 2)
        finally:
            service.stop()
    assert {int(port) for port in re.findall(r"htons\((\d+)\)", record.read_text())} - {0} == configured
    addresses = set(re.findall(r'inet_(?:addr\(|pton\(AF_INET6, )"([^"]+)"', record.read_text()))
    assert {address.removeprefix("::ffff:") for address in addresses} <= {"127.0.0.1", "::1"}
