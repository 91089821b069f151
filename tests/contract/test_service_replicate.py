"""The service against Replicate in every state and fault: the answer, what is counted, and nothing left running."""

from __future__ import annotations

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest
import replicate as replicate_package
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from t2i_service.generating.breaker import FAILURES_TO_OPEN
from t2i_service.providers.replicate import FIRST_BACKOFF

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.collector import collecting
from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION
from tests.fakes.replicate_wire import blank_png
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx
    from starlette.requests import Request

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

PICTURE = f"data:image/png;base64,{base64.b64encode(blank_png(8, 8)).decode()}"
UNCANCELED = "Prediction not canceled: it may go on costing money until its time-out"


def generate(service: RunningService, **body: object) -> httpx.Response:
    with service.client() as client:
        return client.post("/generate", json={"prompt": "a lighthouse at dusk", "width": 256, "height": 128, **body})


@contextmanager
def asking(service: RunningService) -> Iterator[None]:
    """Have somebody ask for a picture who leaves, without an answer, when the block ends."""
    body = json.dumps({"prompt": "never seen"})
    fields = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2]))) as caller:
        caller.sendall(f"POST /generate HTTP/1.1\r\n{fields}\r\n\r\n{body}".encode())
        yield


def test_a_picture_with_its_cost_and_timings(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 0.3
    answer = generate(paid, seed=7, num_outputs=2).json()
    assert answer["status"] == "succeeded"
    assert (answer["provider"], answer["sandbox"], answer["seed"]) == ("replicate", False, 7)
    assert [(image["width"], image["height"]) for image in answer["images"]] == [(256, 128)] * 2
    assert answer["timings"]["predict"] == pytest.approx(0.3, abs=0.01)
    assert answer["cost"] == {"amount": pytest.approx(0.3 * 0.000975, rel=0.05), "currency": "USD"}
    (record,) = replicate.predictions.values()
    assert record.input["prompt"] == "a lighthouse at dusk"
    assert record.input["num_inference_steps"] == 50
    assert record.headers["cancel-after"] == "20s"


def test_a_token_ends_before_its_newline(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    service = start(SDXL, REPLICATE_API_TOKEN=f"{TOKEN}\n")
    assert generate(service).status_code == 200


def test_tokens_are_counted_where_they_are_reported_and_never_made_up(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    with collecting() as collector:
        service = start(SDXL, OTLP_ENDPOINT=collector.url)
        without = generate(service).json()["trace_id"]
        assert "t2i_model_tokens_total{" not in service.metrics_text()
        replicate.knobs.tokens = {"input_token_count": 7, "output_token_count": 1056}
        reported = generate(service).json()["trace_id"]
        assert service.metric("t2i_model_tokens_total", model="sdxl", type="input") == 7
        assert service.metric("t2i_model_tokens_total", model="sdxl", type="output") == 1056
        spans = [
            wait_for(lambda trace=trace: collector.trace(trace).get("replicate_sdxl")) for trace in (without, reported)
        ]
    assert not [name for name in spans[0].attributes if "token" in name]
    assert spans[1].attributes["gen_ai.usage.input_tokens"] == 7
    assert spans[1].attributes["gen_ai.usage.output_tokens"] == 1056


def test_a_time_that_cannot_be_costs_neither_the_picture_nor_the_count(
    paid: RunningService, replicate: FakeReplicate
) -> None:
    charged = paid.metric("t2i_model_cost_total", model="sdxl", currency="USD")
    replicate.knobs.tokens = {"predict_time": -7, "input_token_count": -3}
    answer = generate(paid)
    assert (answer.status_code, answer.json()["cost"]) == (200, None)
    assert paid.metric("t2i_model_cost_total", model="sdxl", currency="USD") == charged


@pytest.mark.parametrize(
    ("outcome", "error", "expected"),
    [
        ("failed", "CUDA out of memory", (502, "generation_failed")),
        ("failed", "NSFW content detected. Try running it again.", (422, "generation_refused")),
        ("canceled", "", (409, "generation_canceled")),
        ("aborted", "", (504, "generation_timeout")),
    ],
)
def test_every_end_that_is_no_success(
    paid: RunningService, replicate: FakeReplicate, outcome: str, error: str, expected: tuple[int, str]
) -> None:
    replicate.knobs.outcome, replicate.knobs.error, replicate.knobs.predict_seconds = outcome, error, 0.2
    charged = paid.metric("t2i_model_cost_total", model="sdxl", currency="USD")
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == expected
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    if outcome != "aborted":
        # What ran is paid for, whatever came of it.
        charged = paid.metric("t2i_model_cost_total", model="sdxl", currency="USD") - charged
        assert charged == pytest.approx(0.2 * 0.000975)


def test_the_gap_is_told_apart_and_polling_learns(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL)
    replicate.knobs.predict_seconds = 2.03
    timings, polls = [], []
    for _ in range(4):
        replicate.requests.clear()
        timings.append(generate(service).json()["timings"])
        polls.append([kind for kind, _ in replicate.requests].count("get"))
    for timing in timings:
        assert timing["predict"] == pytest.approx(2.03, abs=0.001)
        assert timing["poll_gap"] > 0
        # The rest is the create, on a machine that may be busy.
        assert timing["predict"] + timing["poll_gap"] <= timing["total"] - timing["fetch"]
    gaps = sum(timing["poll_gap"] for timing in timings)
    assert service.metric("t2i_model_poll_gap_seconds_sum", model="sdxl") == pytest.approx(gaps)
    assert polls[3] < polls[0]


def test_starting_and_processing_are_waited_for(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.queue_seconds, replicate.knobs.predict_seconds = 0.3, 0.3
    assert generate(paid).json()["status"] == "succeeded"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("401", 502, "provider_unauthorized"),
        ("402", 502, "provider_no_credit"),
        ("404", 502, "provider_not_found"),
        ("500", 502, "provider_error"),
        ("html", 502, "provider_error"),
        ("html200", 502, "provider_bad_answer"),
        ("wrong_json", 502, "provider_bad_answer"),
        ("cut", 502, "provider_error"),
    ],
)
def test_a_create_that_fails_is_not_repeated(
    paid: RunningService, replicate: FakeReplicate, fault: str, status: int, code: str
) -> None:
    replicate.knobs.faults = {"create": [fault]}
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert [kind for kind, _ in replicate.requests] == ["create"]
    assert ("x-should-retry" in answer.headers) is (not fault.startswith("4"))


def test_a_create_that_was_cut_may_have_cost_something(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.faults = {"created": ["cut"]}
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_error")
    assert answer.headers["x-should-retry"] == "false"
    assert [kind for kind, _ in replicate.requests] == ["create"]
    assert len(replicate.predictions) == 1


def test_a_deadline_during_the_create_may_have_cost_something(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"timeoutSeconds": 3})
    replicate.knobs.predict_seconds, replicate.knobs.faults = 60, {"create": ["slow:4"]}
    answer = generate(service)
    assert (answer.status_code, answer.json()["code"]) == (504, "generation_timeout")
    assert answer.headers["x-should-retry"] == "false"
    wait_for(lambda: replicate.statuses() == ["canceled"])
    assert [kind for kind, _ in replicate.requests].count("create") == 1


def test_input_the_model_refuses_is_the_users_to_mend(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"defaults": {"scheduler": "EULER"}})
    answer = generate(service)
    assert (answer.status_code, answer.json()["code"]) == (422, "provider_refused_input")
    assert service.metric("image_generation_total", status="error") == 0
    assert service.metric("image_generation_total", status="refused") == 1
    request_id = answer.json()["request_id"]
    wait_for(lambda: service.logged("Image generation refused", request_id=request_id, level="warning"))
    assert "input.scheduler must be one of the following" in answer.json()["detail"]
    assert replicate.statuses() == []


@pytest.mark.parametrize("side", ["width", "height"])
def test_a_size_that_would_fail_and_be_paid_for_is_refused_here(
    paid: RunningService, replicate: FakeReplicate, side: str
) -> None:
    answer = generate(paid, **{side: 257})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    expected = {"field": side, "message": "must be a multiple of 8", "allowed": {"multipleOf": 8}}
    assert answer.json()["errors"] == [expected]
    assert replicate.requests == []


def test_a_default_size_that_would_fail_is_told_to_both(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"defaults": {"width": 300}})
    (line,) = wait_for(lambda: service.logged("Default size cannot be drawn", level="warning"))
    assert (line["model"], line["sides"]) == ("sdxl", ["width"])
    answer = generate(service, width=None)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    expected = "width: must be a multiple of 8, which the model's own 300 is not: name one that is"
    assert answer.json()["detail"] == expected
    assert replicate.requests == []
    assert generate(service, width=304).status_code == 200


@pytest.mark.parametrize("where", ["create", "prediction"])
def test_what_an_upstream_says_at_great_length_is_cut(
    start: Callable[..., RunningService], replicate: FakeReplicate, where: str
) -> None:
    service = start(SDXL, T2I_PROMPT_CHARACTERS="5")
    if where == "create":
        replicate.knobs.faults = {"create": ["huge"]}
    else:
        replicate.knobs.outcome, replicate.knobs.error = "failed", "no such thing as a lighthouse " * 400_000
    answer = generate(service)
    assert answer.json()["detail"].startswith("no such thing as")
    assert max(len(line) for line in [answer.text, *service.lines]) < 5_000


def test_an_answer_larger_than_any_is_not_kept(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    replicate.knobs.faults = {"create": ["vast"]}
    answer = generate(start(SDXL))
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_bad_answer")
    assert "64 MiB" in answer.json()["detail"]


@pytest.mark.parametrize("fault", ["500", "503", "html", "html200", "wrong_json", "cut", "429"])
def test_asking_how_it_stands_is_repeated(paid: RunningService, replicate: FakeReplicate, fault: str) -> None:
    replicate.knobs.faults = {"get": [fault, fault] if fault != "429" else [fault]}
    assert generate(paid).status_code == 200
    assert len(replicate.predictions) == 1


@pytest.mark.parametrize("fault", ["500", "cut"])
def test_fetching_a_picture_is_repeated(paid: RunningService, replicate: FakeReplicate, fault: str) -> None:
    replicate.knobs.faults = {"file": [fault]}
    assert generate(paid).status_code == 200


@pytest.mark.parametrize(("where", "seconds"), [("429", "1"), ("429body", "1"), ("429header", "1.25")])
def test_throttling_is_waited_out(paid: RunningService, replicate: FakeReplicate, where: str, seconds: str) -> None:
    replicate.knobs.faults = {"create": [where]}
    started = time.monotonic()
    answer = generate(paid)
    assert answer.status_code == 200
    assert time.monotonic() - started >= float(seconds)
    assert len(replicate.predictions) == 1
    (line,) = paid.logged("Upstream asked again", request_id=answer.headers["x-request-id"])
    assert line["error"] == f"The provider takes no more requests for {seconds} s."


def test_throttling_that_says_no_time_is_not_hammered(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.faults, replicate.knobs.throttle_seconds = {"create": ["429"] * 3}, 0
    started = time.monotonic()
    assert generate(paid).status_code == 200
    assert time.monotonic() - started >= FIRST_BACKOFF * 3


def test_throttling_longer_than_the_deadline_is_told(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.faults, replicate.knobs.throttle_seconds = {"create": ["429"]}, 30
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_rate_limited")
    assert "x-should-retry" not in answer.headers
    assert answer.headers["retry-after"] == "30"


def test_a_throttled_poll_gives_up_nothing_that_is_paid_for(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"timeoutSeconds": 3})
    replicate.knobs.faults, replicate.knobs.throttle_seconds = {"get": ["429"]}, 30
    replicate.knobs.predict_seconds = 1
    assert generate(service).status_code == 200
    assert not [kind for kind, _ in replicate.requests if kind == "cancel"]


def test_a_model_that_fails_every_time_is_paid_for_no_longer_unless_it_is_asked_to_fail(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL, SANDBOX | {"name": "shaky", "weight": 0, "sandbox": {"failureRate": "1"}})
    replicate.knobs.outcome = "failed"
    sdxl, shaky = (
        [generate(service, model=model).json()["code"] for _ in range(FAILURES_TO_OPEN + 1)]
        for model in ("sdxl", "shaky")
    )
    assert sdxl == ["generation_failed"] * FAILURES_TO_OPEN + ["provider_unavailable"]
    assert len(replicate.predictions) == FAILURES_TO_OPEN
    assert shaky == ["generation_failed"] * (FAILURES_TO_OPEN + 1)


def test_the_deadline_cancels(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    service = start(SDXL | {"timeoutSeconds": 3})
    replicate.knobs.predict_seconds = 60
    answer = generate(service)
    assert (answer.status_code, answer.json()["code"]) == (504, "generation_timeout")
    wait_for(lambda: replicate.statuses() == ["canceled"])
    wait_for(lambda: service.metric("t2i_model_cost_total", model="sdxl", currency="USD") > 0)
    assert service.metric("image_generation_total", status="error") == 1


def test_a_client_that_leaves_cancels(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    with asking(paid):
        wait_for(replicate.running)
    wait_for(lambda: replicate.statuses() == ["canceled"])
    wait_for(lambda: paid.logged("Prediction canceled", ended_as="canceled"))
    wait_for(lambda: paid.metric("active_requests") == 0)
    assert paid.metric("http_requests_total", method="POST", endpoint="/generate", status="499") >= 1


def test_a_cancel_that_fails_names_what_runs_on(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    service = start(SDXL)
    replicate.knobs.predict_seconds, replicate.knobs.faults = 60, {"cancel": ["401", "401"]}
    with asking(service):
        wait_for(replicate.running)
    (line,) = wait_for(lambda: service.logged(UNCANCELED, level="error", code="provider_unauthorized"))
    assert (line["model"], [line["prediction_id"]]) == ("sdxl", list(replicate.predictions))
    with service.client() as client:
        later = client.post("/generate", json={"prompt": "later"}, headers={"prefer": "respond-async"})
        assert client.post(f"{later.headers['location']}/cancel").json()["code"] == "provider_unauthorized"
    wait_for(lambda: [line["prediction_id"] for line in service.logged(UNCANCELED)] == list(replicate.predictions))
    assert not service.logged("Background work failed")


def test_a_client_that_leaves_during_the_create_cancels(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds, replicate.knobs.faults = 60, {"create": ["slow:2"]}
    with asking(paid):
        wait_for(lambda: replicate.requests)
    wait_for(lambda: replicate.statuses() == ["canceled"])


def test_a_client_that_leaves_between_two_creates_is_charged_for_none(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL)
    replicate.knobs.faults, replicate.knobs.throttle_seconds = {"create": ["429"]}, 10
    with asking(service):
        wait_for(lambda: service.logged("Upstream asked again"))
    wait_for(lambda: service.logged("Image generation canceled"))
    assert service.stop() == 0
    assert [kind for kind, _ in replicate.requests] == ["create"]


def test_a_create_goes_through_after_a_refused_connection(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    with socket.socket() as later, ThreadPoolExecutor(1) as pool:
        # Bound and not listened on, it refuses connections until it is served.
        later.bind(("127.0.0.1", 0))
        service = start(SDXL, T2I_REPLICATE_API_URL=f"http://127.0.0.1:{later.getsockname()[1]}")
        asked = pool.submit(generate, service)
        wait_for(lambda: service.metric("t2i_model_retries_total", model="sdxl", reason="connect") > 0)
        assert not replicate.predictions
        with serving(replicate.app, at=later):
            assert asked.result().status_code == 200
    assert replicate.statuses() == ["succeeded"]


def test_a_redirect_from_the_providers_host_is_neither_followed_nor_asked_for_again(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    asked: list[str] = []

    async def picture(request: Request) -> Response:
        asked.append(request.url.path)
        return Response(blank_png(8, 8), media_type="image/png")

    async def moved(request: Request) -> Response:
        asked.append(request.url.path)
        return RedirectResponse(f"{elsewhere}/picture")

    service = start(SDXL)
    with (
        serving(Starlette(routes=[Route("/picture", picture)])) as elsewhere,
        serving(Starlette(routes=[Route("/moved", moved)])) as theirs,
    ):
        replicate.knobs.outputs = [f"{theirs}/moved"]
        answer = generate(service)
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_bad_image")
    assert "redirects are not followed" in answer.json()["detail"]
    assert asked == ["/moved"]


def test_pictures_only_from_the_providers_hosts(paid: RunningService, replicate: FakeReplicate) -> None:
    for url in ("http://169.254.169.254/latest/meta-data", "https://replicate.delivery.example.com/a.png"):
        replicate.knobs.outputs = [url]
        assert generate(paid).json()["code"] == "provider_bad_image"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "out-0.png",
        "https://[::1/a.png",
        "https://a..replicate.delivery/a.png",
        f"https://{'a' * 70}.replicate.delivery/a.png",
        "https://replicate.delivery:port/a.png",
        "https://replicate.delivery/\x00.png",
        "https://\u2603.\ud55c\u200b.replicate.delivery/a.png",
        "ftp://127.0.0.1/a.png",
        "data:image/png;base64,====",
        "data:image/png;base64,\u00f1",
        "data:",
        "https://replicate.delivery/" + "a" * 70_000,
    ],
)
def test_a_link_that_is_none_is_the_providers_mistake(paid: RunningService, replicate: FakeReplicate, url: str) -> None:
    assert generate(paid).status_code == 200
    replicate.knobs.outputs = [url]
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_bad_image")


@pytest.mark.parametrize("accept", ["application/json", "image/png"])
def test_a_success_without_a_picture_is_a_failure(paid: RunningService, replicate: FakeReplicate, accept: str) -> None:
    replicate.knobs.outputs = []
    with paid.client() as client:
        answer = client.post("/generate", json={"prompt": "a lighthouse"}, headers={"accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (502, "generation_failed")


@pytest.mark.parametrize(
    "output",
    [
        PICTURE,
        [[PICTURE]],
        {"image": PICTURE, "prompt": "a lighthouse"},
        [PICTURE, None],
        {"images": [{"url": PICTURE, "seed": 7}]},
    ],
    ids=["bare", "nested", "beside words", "and nothing", "in objects"],
)
def test_a_picture_is_found_in_whatever_a_model_calls_its_output(
    paid: RunningService, replicate: FakeReplicate, output: object
) -> None:
    replicate.knobs.outputs = output
    answer = generate(paid)
    assert [image["content_type"] for image in answer.json()["images"]] == ["image/png"]


def test_pictures_that_a_safety_check_has_dropped_are_missed(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.outputs = [PICTURE]
    whole, answer = generate(paid).json(), generate(paid, num_outputs=2).json()
    assert (answer["status"], answer["num_outputs"], len(answer["images"])) == ("succeeded", 2, 1)
    with paid.client() as client:
        told = client.get(f"/generations/{answer['id']}").json()
    assert (told["num_outputs"], len(told["images"])) == (2, 1)
    find = {"request_id": answer["request_id"], "level": "warning"}
    (line,) = wait_for(lambda: paid.logged("Fewer images than asked for", **find))
    assert (line["asked"], line["made"], line["prediction_id"]) == (2, 1, list(replicate.predictions)[1])
    assert not paid.logged("Fewer images than asked for", request_id=whole["request_id"])


@pytest.mark.parametrize("output", [{"caption": "a lighthouse"}, [None], 7], ids=["words", "nothing", "a number"])
def test_an_output_without_a_picture_ends_at_once_and_is_paid_for(
    paid: RunningService, replicate: FakeReplicate, output: object
) -> None:
    charged = paid.metric("t2i_model_cost_total", model="sdxl", currency="USD")
    replicate.knobs.outputs = output
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (502, "generation_failed")
    assert paid.metric("t2i_model_cost_total", model="sdxl", currency="USD") > charged
    assert [kind for kind, _ in replicate.requests if kind == "cancel"] == []


def upstream_errors(service: RunningService, reason: str) -> float:
    return service.metric("t2i_model_upstream_errors_total", model="sdxl", reason=reason)


@pytest.mark.parametrize("seconds", [0.0, 0.3], ids=["from the start", "later"])
def test_a_status_that_is_none_is_counted_and_canceled_and_not_asked_for_again(
    paid: RunningService, replicate: FakeReplicate, seconds: float
) -> None:
    before = upstream_errors(paid, "bad_answer")
    repeated = paid.metric("t2i_model_retries_total", model="sdxl", reason="bad_answer")
    replicate.knobs.outcome, replicate.knobs.predict_seconds = "exploded", seconds
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_bad_answer")
    assert "'exploded' is unknown" in answer.json()["detail"]
    assert upstream_errors(paid, "bad_answer") > before
    assert paid.metric("t2i_model_retries_total", model="sdxl", reason="bad_answer") == repeated
    wait_for(lambda: [kind for kind, _ in replicate.requests if kind == "cancel"])


def test_a_page_in_place_of_a_picture_is_counted_and_fetched_once(
    paid: RunningService, replicate: FakeReplicate
) -> None:
    before = upstream_errors(paid, "bad_image")
    replicate.knobs.faults = {"file": ["html200"]}
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_bad_image")
    assert [kind for kind, _ in replicate.requests].count("file") == 1
    assert upstream_errors(paid, "bad_image") == before + 1
    # The next one is drawn, and closes what so many tests that fail would open.
    assert generate(paid).status_code == 200


def test_a_huge_picture_is_refused(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.image_bytes = 33 * 1024 * 1024
    answer = generate(paid)
    assert answer.json()["code"] == "provider_bad_image"
    assert "32 MiB" in answer.json()["detail"]


def test_a_picture_without_end_is_given_up_at_the_cap(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.faults = {"file": ["endless"]}
    answer = generate(paid)
    assert answer.json()["code"] == "provider_bad_image"
    assert "32 MiB" in answer.json()["detail"]


def test_a_huge_picture_inside_the_answer_is_refused(paid: RunningService, replicate: FakeReplicate) -> None:
    picture = base64.b64encode(blank_png(8, 8, 33 * 1024 * 1024)).decode()
    replicate.knobs.outputs = [f"data:image/png;base64,{picture}"]
    answer = generate(paid)
    assert answer.json()["code"] == "provider_bad_image"
    assert "32 MiB" in answer.json()["detail"]


def test_a_picture_that_is_gone_is_said_to_be(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.file_lifetime_seconds = -1
    answer = generate(paid)
    assert (answer.status_code, answer.json()["code"]) == (410, "image_expired")


def test_the_token_goes_to_the_api_alone(paid: RunningService, replicate: FakeReplicate) -> None:
    generate(paid)
    assert ("file", "") in replicate.requests
    assert TOKEN not in "\n".join(paid.lines)


def test_no_connection_is_said_within_the_deadline(start: Callable[..., RunningService]) -> None:
    service = start(SDXL | {"timeoutSeconds": 3}, T2I_REPLICATE_API_URL="http://127.0.0.1:9")
    answer = generate(service)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_unreachable")
    assert "x-should-retry" not in answer.headers
    assert service.metric("t2i_model_retries_total", model="sdxl", reason="connect") >= 1
    assert answer.json()["detail"] == "No connection to the provider."
    (line, *_) = service.logged("No connection to the provider", request_id=answer.headers["x-request-id"])
    assert "127.0.0.1:9 " in line["cause"]


def test_the_published_client_finds_the_fake_true(replicate: FakeReplicate) -> None:
    client = replicate_package.Client(api_token=TOKEN, base_url=replicate.base_url)
    with closing(client._client):
        (output,) = client.run(
            f"stability-ai/sdxl:{VERSION}", input={"prompt": "a lighthouse", "width": 64, "height": 64}
        )
        assert str(output).startswith(f"{replicate.base_url}/files/")
        prediction = client.predictions.create(version=VERSION, input={"prompt": "a lighthouse"})
        prediction.wait()
        assert (prediction.status, prediction.model) == ("succeeded", "stability-ai/sdxl")
        assert prediction.metrics
        uneven = client.predictions.create(version=VERSION, input={"prompt": "a lighthouse", "width": 500})
        uneven.wait()
        assert (uneven.status, "divisible by 8 but are 1024 and 500" in str(uneven.error)) == ("failed", True)
        with pytest.raises(replicate_package.exceptions.ReplicateError, match="must be one of the following"):
            client.predictions.create(version=VERSION, input={"prompt": "a lighthouse", "scheduler": "EULER"})
        replicate.knobs.predict_seconds = 60
        running = client.predictions.create(version=VERSION, input={"prompt": "a lighthouse"})
        running.cancel()
        assert running.status == "canceled"
        replicate.knobs.faults = {"create": ["402"]}
        with pytest.raises(replicate_package.exceptions.ReplicateError, match="insufficient credit"):
            client.predictions.create(version=VERSION, input={"prompt": "a lighthouse"})
