"""What never comes to its end is not waited for: nothing sent, half a head or body, an answer that nobody takes."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

import pytest
import uvicorn
from t2i_service import main
from t2i_service.app import create_state
from t2i_service.callers import image_links
from t2i_service.callers.image_links import POD_BYTES
from t2i_service.observing.privacy import Privacy
from t2i_service.providers import sandbox
from t2i_service.settings import Settings
from t2i_service.web import protocol
from uvicorn.server import ServerState

from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from t2i_service.state import State

    Connection: TypeAlias = tuple[socket.socket, State]

SOON = 0.2
# For what has to be done before, however busy the machine is.
LATER = 1.0
# More than the system keeps for both ends: up to 4 MiB for the one that sends, and for the other what is said here.
MUCH = 16 * 1024 * 1024
KEPT_BYTES = 256 * 1024
BODY = b'{"prompt": "a lighthouse", "width": 64, "height": 64}'.ljust(100)
HEAD = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


def settings_and_state(folder: Path) -> tuple[Settings, State]:
    (models := folder / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    settings = Settings(host="127.0.0.1", port=0, models_file=models, grace_seconds=3)
    return settings, create_state(settings, Privacy(100))


@contextmanager
def served(folder: Path, keep_alive: float) -> Iterator[Connection]:
    """Serve from this process, where the times can be short; yield a connection to it."""
    settings, state = settings_and_state(folder)
    config = main.config(settings, state)
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        with socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=8) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KEPT_BYTES)
            yield caller, state
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Connection]:
    monkeypatch.setattr(protocol, "ARRIVAL_SECONDS", SOON)
    with served(tmp_path, keep_alive=60) as connected:
        yield connected


def active(state: State) -> float | None:
    return state.metrics.registry.get_sample_value("active_requests")


def status(caller: socket.socket) -> int:
    response = HTTPResponse(caller)
    response.begin()
    response.read()
    return response.status


def outlive_the_arrival(caller: socket.socket) -> None:
    """Begin a request that is never sent, and see it given up: whatever was waited for before is, too."""
    with socket.create_connection(caller.getpeername(), timeout=8) as clock:
        clock.sendall(b"P")
        assert clock.recv(1) == b""


class Kept(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("target", "field", "offer"),
    [(1, 1, b""), (40_000, 1, b""), (1, 40_000, b""), (20_000, 20_000, b""), (1, 40_000, b"Upgrade: h2c\r\n")],
    ids=["small", "target", "field", "both", "with an offer"],
)
async def test_a_head_in_one_packet_is_counted(tmp_path: Path, target: int, field: int, offer: bytes) -> None:
    """How a socket cuts what is sent is not a test's to say."""
    config = main.config(*settings_and_state(tmp_path))
    config.load()
    spoken, transport = protocol.Protocol(config, ServerState(), {}), Kept()
    spoken.connection_made(transport)
    head = b"GET /info?%s HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\n%sX: %s\r\n\r\n"
    spoken.data_received(head % (b"x" * target, offer, b"x" * field))
    await asyncio.gather(*spoken.tasks)
    spoken.connection_lost(None)
    large = target + field > protocol.MOST_HEAD_BYTES
    assert transport.written.startswith(b"HTTP/1.1 431 " if large else b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"\r\n"], ids=["nothing", "an empty line"])
def test_a_connection_on_which_nothing_comes_is_closed(tmp_path: Path, sent: bytes) -> None:
    with served(tmp_path, keep_alive=SOON) as (caller, _):
        caller.sendall(sent)
        assert caller.recv(1) == b""


@pytest.mark.parametrize("sent", [b"POST /gen", HEAD[:-2] % b"/generate"], ids=["line", "head"])
@pytest.mark.parametrize("requests_before", [0, 1])
def test_half_a_head_is_not_waited_for(connection: Connection, sent: bytes, requests_before: int) -> None:
    caller, _ = connection
    for _ in range(requests_before):
        caller.sendall(HEAD % b"/generate" + BODY)
        assert status(caller) == 200
    caller.sendall(sent)
    assert caller.recv(1) == b""


@pytest.mark.parametrize("path", [b"/generate", b"/v1/images/generations"], ids=["ours", "openai"])
@pytest.mark.parametrize("sent", [b"", b'{"prompt": '], ids=["none", "some"])
def test_half_a_body_is_answered(connection: Connection, path: bytes, sent: bytes) -> None:
    caller, state = connection
    caller.sendall(HEAD % path + sent)
    response = HTTPResponse(caller)
    response.begin()
    told = json.loads(response.read())
    assert (response.status, (told.get("error") or told)["code"]) == (408, "request_timeout")
    assert caller.recv(1) == b""
    wait_for(lambda: active(state) == 0)


def test_a_body_that_was_answered_before_its_end_is_not_waited_for(connection: Connection) -> None:
    caller, _ = connection
    caller.sendall(HEAD % b"/nowhere" + b"{")
    assert status(caller) == 404
    caller.sendall(b" ")
    assert caller.recv(1) == b""


def test_a_body_that_ends_after_its_answer_ends_the_wait(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "ARRIVAL_SECONDS", LATER)
    caller, _ = connection
    caller.sendall(HEAD % b"/nowhere" + b"{")
    assert status(caller) == 404
    caller.sendall(b" " * 99)
    outlive_the_arrival(caller)
    caller.sendall(HEAD % b"/generate" + BODY)
    assert status(caller) == 200


def test_a_request_that_is_whole_is_waited_for_no_more(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "ARRIVAL_SECONDS", LATER)
    caller, state = connection
    caller.sendall(HEAD % b"/generate")
    wait_for(lambda: active(state) == 1)
    caller.sendall(BODY)
    assert status(caller) == 200
    outlive_the_arrival(caller)
    caller.sendall(HEAD % b"/generate" + BODY)
    assert status(caller) == 200


@pytest.mark.parametrize("more", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
def test_an_answer_that_nobody_takes_is_given_up(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    told: list[str] = []
    monkeypatch.setattr(protocol, "TAKING_SECONDS", SOON)
    monkeypatch.setattr(protocol.log, "warning", lambda event, **_: told.append(event))
    monkeypatch.setattr(sandbox, "draw", lambda *_: bytes(MUCH))
    caller, _ = connection
    caller.sendall((HEAD % b"/generate").replace(b"\r\n\r\n", b"\r\n%s\r\n" % more) + BODY)
    wait_for(lambda: told == ["Connection cut: its caller takes no more of the answer"])
    assert len(b"".join(iter(lambda: caller.recv(MUCH), b""))) < MUCH


def asks_for_one(caller: socket.socket) -> bytes:
    """Return a request that is answered with the image itself."""
    return HEAD % b"/generate" + BODY


def follows_link(caller: socket.socket) -> bytes:
    """Have an image made; return a request for it by its link."""
    body = BODY.replace(b"}", b', "response_format": "url"}')[:100]
    caller.sendall(HEAD % b"/generate" + body)
    response = HTTPResponse(caller)
    response.begin()
    link = urlsplit(json.loads(response.read())["images"][0]["url"])
    return f"GET {link.path}?{link.query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def test_who_takes_no_image_loses_its_room(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "TAKING_SECONDS", LATER)
    caller, state = connection
    request = follows_link(caller)
    monkeypatch.setattr(sandbox, "draw", lambda *_: bytes(MUCH))
    caller.sendall(request)
    wait_for(lambda: state.image_links._pod._free == POD_BYTES - MUCH)
    wait_for(lambda: active(state) == 0)
    assert len(b"".join(iter(lambda: caller.recv(MUCH), b""))) < MUCH
    assert state.image_links._pod._free == POD_BYTES


@pytest.mark.parametrize("asks", [asks_for_one, follows_link], ids=["answer", "link"])
def test_who_takes_an_answer_slowly_gets_it_whole(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, asks: Callable[[socket.socket], bytes]
) -> None:
    looks: list[int] = []
    look = protocol.Protocol._look

    def counted(self: protocol.Protocol, waited: int) -> None:
        looks.append(waited)
        look(self, waited)

    monkeypatch.setattr(protocol.Protocol, "_look", counted)
    caller, _ = connection
    request = asks(caller).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    monkeypatch.setattr(protocol, "TAKING_SECONDS", 2)
    # Both looks are later than that: what is fetched may be sent for longer.
    monkeypatch.setattr(image_links, "FETCH_SECONDS", 3)
    monkeypatch.setattr(sandbox, "draw", lambda *_: bytes(2 * MUCH))
    caller.sendall(request)
    taken = 0
    for looked in (1, 2):
        wanted = taken + MUCH // 4
        while taken < wanted:
            taken += len(caller.recv(MUCH))
        wait_for(lambda looked=looked: len(looks) >= looked)
    taken += len(b"".join(iter(lambda: caller.recv(MUCH), b"")))
    assert taken > 2 * MUCH
