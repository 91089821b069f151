"""Asynchronous generations: any replica answers any id, links expire, keys rotate, and nothing is lost silently."""

from __future__ import annotations

import base64
import os
import select
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from t2i_service.callers.concurrency_limit import AT_ONCE
from t2i_service.callers.image_links import GENERATION_BYTES, PER_LINK_A_MINUTE
from t2i_service.callers.keyring import ANYBODY, Keyring

from tests.contract.conftest import SANDBOX, SDXL
from tests.fakes.kubelet import mount
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

SMALL = {"prompt": "a lighthouse at dusk", "width": 64, "height": 64}
LATER = {"prefer": "respond-async"}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    mount(folder, {"k1": signing_key(), "primary": "k1"})
    return folder


def signing_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(scope="module")
def replicas(start: Callable[..., RunningService], keys: Path) -> tuple[RunningService, RunningService]:
    return start(SDXL, T2I_SIGNING_KEYS_DIR=str(keys)), start(SDXL, T2I_SIGNING_KEYS_DIR=str(keys))


def begin(service: RunningService, **headers: str) -> httpx.Response:
    with service.client() as client:
        return client.post("/generate", json=SMALL, headers=LATER | headers)


def read(service: RunningService, path: str) -> dict[str, Any]:
    with service.client() as client:
        return dict(client.get(path).json())


def sent(replicate: FakeReplicate, kind: str) -> int:
    return [name for name, _ in replicate.requests].count(kind)


def ended(service: RunningService, path: str) -> dict[str, Any]:
    return wait_for(lambda: (now := read(service, path))["status"] not in {"starting", "processing"} and now)


def test_one_replica_begins_and_another_answers(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    one, other = replicas
    replicate.knobs.predict_seconds = 60
    answer = begin(one)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "respond-async")
    location = answer.headers["location"]
    assert location == f"/generations/{answer.json()['id']}"
    assert answer.json()["status"] in {"starting", "processing"}
    assert read(other, location)["status"] in {"starting", "processing"}
    replicate.finish()
    result = ended(other, location)
    assert result["status"] == "succeeded"
    assert (result["trace_id"], result["request_id"]) == (answer.json()["trace_id"], answer.json()["request_id"])
    assert result["cost"]["amount"] > 0
    (image,) = result["images"]
    link = image["url"].replace(other.url, one.url)
    fetched = httpx.get(link, trust_env=False)
    assert answer.headers["x-sandbox"] == fetched.headers["x-sandbox"] == "false"
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, "image/png")
    wait_for(lambda: one.logged("Image generation completed", request_id=answer.json()["request_id"]))
    assert one.metric("image_generation_total", status="success") == 1
    assert other.metric("image_generation_total", status="success") == 0
    # Who follows it counts what it costs, however often and wherever it is asked for.
    costs = [replica.metric("t2i_model_cost_total", model="sdxl", currency="USD") for replica in replicas]
    assert costs == [pytest.approx(result["cost"]["amount"]), 0]


@pytest.mark.parametrize(
    ("preferences", "later"),
    [
        (["Respond-Async"], True),
        (["wait=100, respond-async"], True),
        (["handling=lenient", "respond-async; foo"], True),
        (['foo="a, \\" b", respond-async'], True),
        (["respond-asynchronously"], False),
        (["return=representation;respond-async"], False),
        (['foo="a, respond-async, \\", respond-async, b"'], False),
    ],
    ids=["capitals", "one of several", "second header", "after quotes", "another word", "a parameter", "in quotes"],
)
def test_a_preference_is_read_as_its_rfc_says(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate, preferences: list[str], *, later: bool
) -> None:
    with replicas[0].client() as client:
        answer = client.post("/generate", json=SMALL, headers=[("prefer", value) for value in preferences])
    assert answer.status_code == (202 if later else 200)
    assert answer.headers.get("preference-applied") == ("respond-async" if later else None)


def test_a_replica_without_the_model_answers_from_the_provider(
    start: Callable[..., RunningService],
    replicas: tuple[RunningService, RunningService],
    keys: Path,
    replicate: FakeReplicate,
) -> None:
    # The model is gone, and another provider's has its name. They are up before its time begins to run.
    others = [start(*models, T2I_SIGNING_KEYS_DIR=str(keys)) for models in ([SDXL | {"name": "next"}], [SANDBOX])]
    replicate.knobs.predict_seconds = 60
    location = begin(replicas[0]).headers["location"]
    with replicas[0].client() as client:
        sdxl = client.get(location).json()
    for other in others:

        def counts_its_errors(other: RunningService = other) -> bool:
            # The pod that follows asks as well, and may be who meets the error.
            replicate.knobs.faults = {"get": ["500"]}
            assert read(other, location) == sdxl
            return other.metric("t2i_model_upstream_errors_total", model="other", reason="server_error") > 0

        wait_for(counts_its_errors)
    with other.client() as client:
        answer = client.post(f"{location}/cancel").json()
    assert (answer["status"], answer["model"], answer["cost"]) == ("canceled", "sdxl", None)
    assert replicate.statuses() == ["canceled"]


def test_a_replica_without_the_provider_says_so(
    start: Callable[..., RunningService], replicas: tuple[RunningService, RunningService], keys: Path
) -> None:
    location = begin(replicas[0]).headers["location"]
    other = start(SANDBOX, T2I_SIGNING_KEYS_DIR=str(keys), REPLICATE_API_TOKEN="")
    with other.client() as client:
        answer = client.get(location)
    assert (answer.status_code, answer.json()["code"]) == (503, "provider_not_configured")
    assert answer.headers["retry-after"] == "5"
    assert answer.json()["detail"].startswith("This pod is not configured for replicate")


def test_an_answer_before_the_picture_is_counted_and_not_timed(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    one, labels = replicas[0], {"method": "POST", "endpoint": "/generate"}
    requests = one.metric("http_requests_total", **labels, status="202")
    timed = one.metric("http_request_duration_seconds_count", **labels)
    begin(one)
    wait_for(lambda: one.metric("http_requests_total", **labels, status="202") == requests + 1)
    assert one.metric("http_request_duration_seconds_count", **labels) == timed


def test_an_id_shows_nothing_and_cannot_be_made_up(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    generation_id = begin(replicas[0]).json()["id"]
    raw = base64.urlsafe_b64decode(generation_id + "==")
    assert b"lighthouse" not in raw
    assert next(iter(replicate.predictions)).encode() not in raw
    flipped = generation_id[:-5] + ("A" if generation_id[-5] != "A" else "B") + generation_id[-4:]
    with replicas[1].client() as client:
        for wrong in (flipped, "x", "", "%00", generation_id + "AAAA"):
            answer = client.get(f"/generations/{wrong}")
            assert answer.status_code == 404, wrong


def test_an_id_ends_with_the_providers_hour(
    replicas: tuple[RunningService, RunningService], keys: Path, replicate: FakeReplicate
) -> None:
    begun = begin(replicas[0]).json()["id"]
    ring = Keyring(keys)
    expired = ring.id_of(msgspec.structs.replace(ring.reference_of(begun, ANYBODY), expires=int(time.time()) - 1))
    link = f"/generations/{expired}/images/0?signature={ring.signature(expired, 0)}"
    with replicas[0].client() as client:
        answers = [
            client.get(f"/generations/{expired}"),
            client.post(f"/generations/{expired}/cancel"),
            client.get(link),
            client.post("/feedback", json={"generation_id": expired, "rating": "up"}),
        ]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(410, "generation_expired")}


def test_keys_rotate_without_a_restart(
    replicas: tuple[RunningService, RunningService], keys: Path, replicate: FakeReplicate
) -> None:
    old = begin(replicas[0]).headers["location"]
    mount(keys, {"k1": (keys / "k1").read_text(), "k2": signing_key(), "primary": "k2"})
    for replica in replicas:
        wait_for(lambda replica=replica: replica.logged("Signing keys taken over", primary="k2"))
    new = begin(replicas[0]).headers["location"]
    assert b"k2" in base64.urlsafe_b64decode(new.rpartition("/")[2] + "==")
    for location in (old, new):
        assert ended(replicas[1], location)["status"] == "succeeded"


def test_a_replica_reads_what_others_sign_with_a_key_it_does_not_sign_with(
    start: Callable[..., RunningService], tmp_path: Path, replicate: FakeReplicate
) -> None:
    both = {"k1": signing_key(), "k2": signing_key()}
    for primary in both:
        (tmp_path / primary).mkdir()
        mount(tmp_path / primary, both | {"primary": primary})
    old, new = (start(SDXL, T2I_SIGNING_KEYS_DIR=str(tmp_path / primary)) for primary in both)
    for signs, reads, key in ((new, old, b"k2"), (old, new, b"k1")):
        location = begin(signs).headers["location"]
        assert base64.urlsafe_b64decode(location.rpartition("/")[2] + "==")[1:].startswith(key)
        (image,) = ended(reads, location)["images"]
        link = ended(signs, location)["images"][0]["url"].replace(signs.url, reads.url)
        assert link == image["url"]
        assert httpx.get(link, trust_env=False).status_code == 200


def test_a_cancel_reaches_the_provider_and_the_follower(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    replicate.knobs.predict_seconds = 60
    one, other = replicas
    before = one.metric("image_generation_total", status="canceled")
    location = begin(one).headers["location"]
    with other.client() as client:
        answer = client.post(f"{location}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
    assert read(one, location)["error"]["code"] == "generation_canceled"
    assert replicate.statuses() == ["canceled"]
    wait_for(lambda: one.metric("image_generation_total", status="canceled") == before + 1)


def test_the_deadline_holds_for_what_is_followed(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL | {"timeoutSeconds": 3})
    replicate.knobs.predict_seconds = 60
    began = time.time()
    location = begin(service).headers["location"]
    wait_for(lambda: replicate.statuses() == ["canceled"])
    (record,) = replicate.predictions.values()
    ended = record.canceled or record.deadline
    assert ended
    assert ended - began > 2.9
    record.created = ended - 3  # the create may have been longer on its way than the cancel
    told = read(service, location)
    assert (told["status"], told["error"]["code"]) == ("canceled", "generation_timeout")
    wait_for(lambda: service.metric("image_generation_total", status="error") == 1)
    assert service.metric("t2i_generations_abandoned_total") == 0


def test_a_failure_is_told_later(replicas: tuple[RunningService, RunningService], replicate: FakeReplicate) -> None:
    replicate.knobs.outcome, replicate.knobs.error = "failed", "NSFW content detected"
    result = ended(replicas[1], begin(replicas[0]).headers["location"])
    assert (result["status"], result["error"]["code"]) == ("failed", "generation_refused")


def test_what_fails_before_it_began_is_told_at_once(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    replicate.knobs.faults = {"create": ["402"]}
    answer = begin(replicas[0])
    assert (answer.status_code, answer.json()["code"]) == (502, "provider_no_credit")


def test_a_link_is_signed_and_ends_with_the_providers_hour(
    replicas: tuple[RunningService, RunningService], replicate: FakeReplicate
) -> None:
    with replicas[0].client() as client:
        answer = client.post("/generate", json=SMALL | {"response_format": "url"}).json()
        (image,) = answer["images"]
        assert image.keys() == {"url", "content_type", "width", "height"}
        assert client.get(image["url"]).status_code == 200
        assert client.get(image["url"][:-1] + "!").json()["code"] == "bad_signature"
        assert client.get(image["url"].replace("/images/0", "/images/1")).json()["code"] == "bad_signature"
        replicate.knobs.file_lifetime_seconds = -1
        gone = client.get(image["url"])
        for record in replicate.predictions.values():
            record.knobs.outputs = []
        removed = client.get(image["url"])
        read_again = client.get(f"/generations/{answer['id']}").json()
    for told in (gone, removed):
        assert (told.status_code, told.json()["code"]) == (410, "image_expired")
    assert (read_again["status"], read_again["images"], read_again["error"]) == ("succeeded", [], None)


def test_a_link_has_a_rate(start: Callable[..., RunningService]) -> None:
    service = start(SANDBOX)
    with service.client() as client:
        one, other = (
            client.post("/generate", json=SMALL | {"response_format": "url"}).json()["images"][0]["url"] for _ in "ab"
        )
        # What a slow machine takes longer for than a second is given back meanwhile.
        answers = (client.get(one) for _ in range(10 * PER_LINK_A_MINUTE))
        followed, refused = next((number, answer) for number, answer in enumerate(answers) if answer.status_code != 200)
        assert client.get(other).status_code == 200
    assert followed >= PER_LINK_A_MINUTE
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1


def link_of_one(client: httpx.Client) -> str:
    answer = client.post("/generate", json=SMALL | {"response_format": "url"}).json()
    return str(answer["images"][0]["url"])


def test_so_many_links_are_followed_at_once(start: Callable[..., RunningService], replicate: FakeReplicate) -> None:
    service, callers = start(SDXL), AT_ONCE + 4
    with service.client() as client, ThreadPoolExecutor(callers) as pool:
        links = [link_of_one(client) for _ in range(callers)]
        replicate.requests.clear()
        replicate.knobs.hold_files = True
        asked = [pool.submit(httpx.get, link, trust_env=False, timeout=30) for link in links]
        wait_for(lambda: service.metric("active_requests") == callers)
        wait_for(lambda: sent(replicate, "file") == AT_ONCE)
        assert not [future for future in asked if future.done()]
        replicate.knobs.hold_files = False
        assert {future.result().status_code for future in asked} == {200}
    assert sent(replicate, "file") == callers


def test_who_does_not_read_keeps_nobody_from_other_images(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service, callers, size = start(SDXL), AT_ONCE + 8, 9 * 1024 * 1024
    have_room = GENERATION_BYTES // size
    replicate.knobs.image_bytes = size
    with service.client() as client, ExitStack() as stack:
        link, other = link_of_one(client), link_of_one(client)
        replicate.requests.clear()
        asked = [stack.enter_context(socket.socket()) for _ in range(callers)]
        for caller in asked:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            caller.connect(("127.0.0.1", int(service.url.rpartition(":")[2])))
            caller.sendall(f"GET {link.removeprefix(service.url)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        wait_for(lambda: service.metric("active_requests") == callers)
        wait_for(lambda: len(select.select(asked, [], [], 0)[0]) == have_room and sent(replicate, "file") == callers)
        assert client.get(other).status_code == 200
        # Until they are refused, and no longer wait.
        assert len(select.select(asked, [], [], 0)[0]) == have_room
    wait_for(lambda: service.metric("active_requests") == 0)


@pytest.mark.parametrize("end", ["", "/"], ids=["bare", "slash"])
def test_a_public_url_is_what_links_begin_with(start: Callable[..., RunningService], end: str) -> None:
    service = start(SANDBOX, T2I_PUBLIC_URL=f"https://images.example.com/api{end}")
    with service.client() as client:
        answer = client.post("/generate", json=SMALL | {"response_format": "url"}).json()
    later = begin(service)
    assert answer["images"][0]["url"].startswith("https://images.example.com/api/generations/")
    assert later.headers["location"] == f"https://images.example.com/api/generations/{later.json()['id']}"


@pytest.mark.parametrize(
    ("told", "scheme"),
    [("https", "https"), ("HTTPS, http", "https"), ("http", "http"), ("wss", "http"), ("", "http")],
    ids=["https", "two proxies", "http", "another", "nothing"],
)
def test_links_begin_as_the_callers_address_did(sandbox: RunningService, told: str, scheme: str) -> None:
    """A proxy is at any address, not at the one of this machine that uvicorn would hear."""
    headers, asked = {"x-forwarded-proto": told, "host": "images.example.com"}, SMALL | {"response_format": "url"}
    proxy = httpx.HTTPTransport(local_address="127.0.0.2")
    with sandbox.client(transport=proxy, headers=headers) as client:
        link = client.post("/generate", json=asked).json()["images"][0]["url"]
        openai = client.post("/v1/images/generations", json={"prompt": "a lighthouse", "response_format": "url"}).json()
    for url in (link, openai["data"][0]["url"]):
        assert url.startswith(f"{scheme}://images.example.com/generations/")


def test_a_sandbox_id_recomputes_the_picture(start: Callable[..., RunningService], keys: Path) -> None:
    one = start(SANDBOX, T2I_SIGNING_KEYS_DIR=str(keys))
    other = start(SANDBOX, T2I_SIGNING_KEYS_DIR=str(keys))
    with one.client() as client, other.client() as elsewhere:
        drawn = client.post("/generate", json=SMALL | {"seed": 5}, headers={"accept": "image/png"})
        later = client.post("/generate", json=SMALL | {"seed": 5}, headers=LATER)
        asked = elsewhere.get(later.headers["location"])
        result = asked.json()
        assert (result["status"], result["seed"], result["sandbox"]) == ("succeeded", 5, True)
        followed = elsewhere.get(result["images"][0]["url"])
        assert followed.content == drawn.content
        assert {answer.headers["x-sandbox"] for answer in (drawn, later, asked, followed)} == {"true"}
        refused = elsewhere.post(f"{later.headers['location']}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_cancellable")


def test_a_dying_pod_counts_what_it_abandons_and_lets_it_live(
    start: Callable[..., RunningService],
    keys: Path,
    replicas: tuple[RunningService, RunningService],
    replicate: FakeReplicate,
) -> None:
    service = start(SDXL, T2I_SIGNING_KEYS_DIR=str(keys), T2I_GRACE_SECONDS="3")
    replicate.knobs.predict_seconds = 60
    location = begin(service).headers["location"]
    service.process.send_signal(signal.SIGTERM)
    assert service.wait() == 0
    (line,) = service.logged("Image generation abandoned")
    assert line["prediction_id"] in replicate.predictions
    (told,) = service.logged("Counted since the last scrape")
    assert told["totals"]["t2i_generations_abandoned_total"] == 1
    assert read(replicas[1], location)["status"] == "processing"
    with replicas[1].client() as client:
        assert client.post(f"{location}/cancel").json()["status"] == "canceled"


def test_wrong_signing_keys_stop_the_start(tmp_path: Path) -> None:
    from tests.fakes.processes import RunningService  # noqa: PLC0415

    (tmp_path / "primary").write_text("k9")
    service = RunningService({"T2I_SIGNING_KEYS_DIR": str(tmp_path)})
    assert service.wait() == 2
    assert "names 'k9', which is not among []" in "\n".join(service.lines)
