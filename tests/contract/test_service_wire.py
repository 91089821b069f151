"""What comes in below the routes: offers of another protocol, heads without end, bodies that nobody would call JSON."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

import pytest
from t2i_service.web.protocol import MOST_AT_ONCE, MOST_WAITING

from tests.contract.conftest import SANDBOX
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

PROMPT = json.dumps({"prompt": "a lighthouse at dusk", "width": 64, "height": 64}).encode()
# What the JDK's HttpClient and `curl --http2` send to a service without TLS.
OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQBAAAAAAIAAAAA\r\n"
CLOSING = OFFER.replace(b"Connection: ", b"Connection: close, ")
WEBSOCKET = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n"
FRAMINGS = {
    "length": (b"Content-Length: %d\r\n" % len(PROMPT), PROMPT),
    "chunked": (
        b"Transfer-Encoding: chunked\r\n",
        b"a\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (PROMPT[:10], len(PROMPT) - 10, PROMPT[10:]),
    ),
}
MUCH = 1024 * 1024


@contextmanager
def connected(service: RunningService) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])), timeout=20) as caller:
        yield caller


def head(more: bytes, path: bytes = b"/generate", method: bytes = b"POST") -> bytes:
    return b"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n%s\r\n" % (method, path, more)


def answer(caller: socket.socket) -> tuple[int, Any]:
    response = HTTPResponse(caller)
    response.begin()
    body = response.read()
    return response.status, json.loads(body) if "json" in (response.headers["content-type"] or "") else body.decode()


def refused(caller: socket.socket) -> tuple[int, str, str]:
    """Return status, code and detail of an answer that is a problem document under a request id, and the last."""
    response = HTTPResponse(caller)
    response.begin()
    problem = json.loads(response.read())
    assert (response.headers["content-type"], response.headers["connection"]) == ("application/problem+json", "close")
    assert problem["request_id"] == response.headers["x-request-id"]
    assert problem["status"] == response.status
    return response.status, problem["code"], problem["detail"]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("offer", [OFFER, CLOSING, WEBSOCKET], ids=["h2c", "closing", "websocket"])
def test_an_offer_of_another_protocol_is_ignored(sandbox: RunningService, framing: str, offer: bytes) -> None:
    length, body = FRAMINGS[framing]
    with connected(sandbox) as caller:
        caller.sendall(head(length + offer) + body)
        assert answer(caller)[0] == 200


@pytest.mark.parametrize("framing", FRAMINGS)
def test_the_body_behind_an_offer_may_come_later(sandbox: RunningService, framing: str) -> None:
    length, body = FRAMINGS[framing]
    with connected(sandbox) as caller:
        for offer in (OFFER, OFFER, b""):
            caller.sendall(head(length + offer))
            wait_for(lambda: sandbox.metric("active_requests") == 1)
            caller.sendall(body[:20])
            caller.sendall(body[20:])
            assert answer(caller)[0] == 200
            wait_for(lambda: sandbox.metric("active_requests") == 0)


def test_the_connection_stays_for_many_offers_that_come_at_once(sandbox: RunningService) -> None:
    length, body = FRAMINGS["length"]
    last = head(b"Connection: close\r\n", b"/health", b"GET")
    with connected(sandbox) as caller:
        caller.sendall((head(length + OFFER) + body) * 3 + head(OFFER, b"/ready", b"GET") + last)
        received = b"".join(iter(lambda: caller.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 5
    assert not sandbox.logged("Unsupported upgrade request.")


@pytest.mark.parametrize("waiting", [1, MOST_WAITING])
@pytest.mark.parametrize("apart", [False, True], ids=["in one packet", "one by one"])
def test_a_caller_who_leaves_with_requests_waiting_is_seen_to(
    paid: RunningService, replicate: FakeReplicate, waiting: int, *, apart: bool
) -> None:
    replicate.knobs.predict_seconds = 60
    first, behind = head(FRAMINGS["length"][0]) + PROMPT, head(b"", b"/info", b"GET") * waiting
    served = paid.metric("http_requests_total", method="GET", endpoint="/info", status="200")
    with connected(paid) as caller:
        caller.sendall(first if apart else first + behind)
        wait_for(replicate.running)
        if apart:
            caller.sendall(behind)
    wait_for(lambda: replicate.statuses() == ["canceled"])
    wait_for(lambda: paid.metric("active_requests") == 0)
    assert paid.metric("http_requests_total", method="GET", endpoint="/info", status="200") == served


def test_what_waits_behind_an_answer_is_answered_in_its_turn(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    with connected(paid) as caller:
        caller.sendall(head(FRAMINGS["length"][0]) + PROMPT)
        wait_for(replicate.running)
        caller.sendall(head(b"", b"/ready", b"GET") * MOST_WAITING * 2)
        caller.sendall(head(b"Connection: close\r\n", b"/ready", b"GET"))
        replicate.finish()
        received = b"".join(iter(lambda: caller.recv(65536), b""))
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 2 + MOST_WAITING * 2
    assert received.index(b'"b64_json"') < received.index(b'"ready"')


def test_who_sends_back_to_back_is_read_no_faster_than_answered(sandbox: RunningService) -> None:
    """The padding keeps a packet, of 256 KB at most, from bringing too many; without end too many would wait."""
    padding = b"x-padding: %s\r\n" % (b"x" * 8000)
    sent = head(padding, b"/health", b"GET") * 500 + head(b"Connection: close\r\n", b"/health", b"GET")
    with connected(sandbox) as caller:
        sender = threading.Thread(target=caller.sendall, args=(sent,))
        sender.start()
        received = b"".join(iter(lambda: caller.recv(65536), b""))
        sender.join()
    assert received.count(b"HTTP/1.1 200 OK\r\n") == 501


def test_who_sends_far_too_many_at_once_is_hung_up_on(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    with connected(paid) as caller:
        caller.sendall(head(FRAMINGS["length"][0]) + PROMPT)
        wait_for(replicate.running)
        caller.sendall(head(b"", b"/ready", b"GET") * (MOST_AT_ONCE + 2))
        assert caller.recv(1) == b""
    (line,) = wait_for(lambda: paid.logged("Request refused", status=429))
    assert line["reason"] == f"No more than {MOST_AT_ONCE} requests may wait on one connection."
    wait_for(lambda: replicate.statuses() == ["canceled"])


def broken(request_id: bytes) -> bytes:
    """Return a request whose body cannot be read."""
    return head(b"Transfer-Encoding: chunked\r\nX-Request-ID: %s\r\n" % request_id) + b"2\r\n{}\r\nZZZ\r\n"


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "later"])
def test_a_body_that_cannot_be_read_is_answered_as_its_request(sandbox: RunningService, *, apart: bool) -> None:
    labels = {"method": "POST", "endpoint": "/generate", "status": "400"}
    before, request_id = sandbox.metric("http_requests_total", **labels), f"broken-{apart}"
    begun, behind = broken(request_id.encode())[:-5], broken(request_id.encode())[-5:]
    with connected(sandbox) as caller:
        if apart:
            caller.sendall(begun)
            wait_for(lambda: sandbox.metric("active_requests") == 1)
            caller.sendall(behind)
        else:
            caller.sendall(begun + behind)
        caller.sendall(b"what comes after is not read")
        assert refused(caller) == (400, "bad_request", "What was sent is no HTTP request that can be read.")
    wait_for(lambda: sandbox.metric("active_requests") == 0)
    assert sandbox.metric("http_requests_total", **labels) == before + 1
    (line,) = wait_for(lambda: sandbox.logged("Request served", request_id=request_id))
    assert line["status"] == 400
    assert not sandbox.logged("Request refused", status=400, request_id=request_id)


def test_a_body_that_cannot_be_read_waits_for_its_turn(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    with connected(paid) as caller:
        caller.sendall(head(FRAMINGS["length"][0]) + PROMPT)
        wait_for(replicate.running)
        caller.sendall(broken(b"second"))
        replicate.finish()
        received = b"".join(iter(lambda: caller.recv(65536), b""))
    first, _, second = received.partition(b"HTTP/1.1 400 Bad Request\r\n")
    assert b'"b64_json"' in first
    assert b'"request_id":"second"' in second


def test_a_tunnel_is_refused(sandbox: RunningService) -> None:
    with connected(sandbox) as caller:
        caller.sendall(b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n")
        assert refused(caller) == (400, "bad_request", "What was sent is no HTTP request that can be read.")
    assert sandbox.metric("http_requests_total", method="other", endpoint="unmatched", status="400") == 1


@pytest.mark.parametrize("name", [b"x-long: ", b""], ids=["value", "name"])
def test_a_head_without_end_is_refused(sandbox: RunningService, name: bytes) -> None:
    with connected(sandbox) as caller:
        # The refusal may come while there is more to send.
        with pytest.raises(ConnectionError):
            caller.sendall(b"GET /health HTTP/1.1\r\n" + name + b"x" * 16 * MUCH)
        told = refused(caller)
    assert told == (431, "request_header_fields_too_large", "A request head may have at most 32768 bytes.")


@pytest.mark.parametrize("long", [b"target", b"field"])
def test_a_large_head_in_one_piece_is_refused(sandbox: RunningService, long: bytes) -> None:
    much = b"x" * 100 * 1024
    large = head(b"", b"/health?" + much, b"GET") if long == b"target" else head(b"x: " + much, b"/health", b"GET")
    with connected(sandbox) as caller:
        caller.sendall(head(b"", b"/health", b"GET"))
        assert answer(caller)[0] == 200
        caller.sendall(large)
        assert refused(caller)[0] == 431


def test_trailers_without_end_are_not_kept(sandbox: RunningService) -> None:
    with connected(sandbox) as caller:
        caller.sendall(head(b"Transfer-Encoding: chunked\r\n") + b"2\r\n{}\r\n0\r\n")
        wait_for(lambda: sandbox.metric("active_requests") == 1)
        with pytest.raises(ConnectionError):
            caller.sendall(b"x: y\r\n" * 4 * MUCH)
    wait_for(lambda: sandbox.metric("active_requests") == 0)


def test_a_large_chunk_is_no_head(start: Callable[..., RunningService]) -> None:
    body = json.dumps({"prompt": "x" * 400_000, "width": 64, "height": 64}).encode()
    service = start(SANDBOX | {"limits": {"maxPromptCharacters": 400_000}})
    with connected(service) as caller:
        caller.sendall(head(b"Transfer-Encoding: chunked\r\n") + b"%x\r\n" % len(body))
        wait_for(lambda: service.metric("active_requests") == 1)
        caller.sendall(body + b"\r\n0\r\n\r\n")
        assert answer(caller)[0] == 200


@pytest.mark.parametrize("path", ["/generate", "/feedback", "/v1/images/generations"])
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", None])
def test_a_body_that_is_not_called_json_is_told_how(
    sandbox: RunningService, path: str, content_type: str | None
) -> None:
    with sandbox.client() as client:
        refused = client.post(path, content=PROMPT, headers={"content-type": content_type} if content_type else {})
    problem = refused.json()
    told = problem["error"] if path.startswith("/v1/") else problem | {"message": problem["detail"]}
    assert (refused.status_code, told["code"]) == (415, "unsupported_media_type")
    assert told["message"] == "Send JSON with `Content-Type: application/json`."


def test_a_body_too_large_for_a_route_without_one_is_told_so(paid: RunningService, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds = 60
    with paid.client() as client:
        begun = client.post("/generate", json=json.loads(PROMPT), headers={"prefer": "respond-async"})
        refused = client.post(f"{begun.headers['location']}/cancel", content=b"x" * 100_000)
    assert (refused.status_code, refused.json()["code"]) == (413, "content_too_large")
    wait_for(lambda: not replicate.running())


@pytest.mark.parametrize(("method", "path"), [("POST", "/generate/"), ("GET", "/health/"), ("GET", "/docs/")])
def test_a_slash_too_many_leads_nowhere(sandbox: RunningService, method: str, path: str) -> None:
    with sandbox.client() as client:
        refused = client.request(method, path)
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/info"])
def test_who_asks_for_the_head_alone_gets_it(sandbox: RunningService, path: str) -> None:
    with sandbox.client() as client:
        whole, asked = client.get(path), client.head(path)
        assert "head" not in client.get("/openapi.json").json()["paths"].get(path, {})
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-type"] == whole.headers["content-type"]
