"""Who asks how a generation stands, or has it stopped, takes nothing from who has one made."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

from t2i_service.callers.concurrency_limit import AT_ONCE

from tests.contract.conftest import SDXL
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

SMALL = {"prompt": "a lighthouse at dusk", "width": 64, "height": 64}
LATER = {"prefer": "respond-async"}
MORE_THAN_CONNECTIONS = 90


def calling(service: RunningService, method: str, path: str) -> socket.socket:
    """Send a request and listen to no answer."""
    caller = socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])))
    caller.sendall(f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n".encode())
    return caller


def sent(replicate: FakeReplicate, kind: str) -> int:
    return [name for name, _ in replicate.requests].count(kind)


def test_many_who_ask_hold_up_no_create_and_no_cancel_and_go_with_their_callers(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL, T2I_MAX_IN_FLIGHT="1")
    replicate.knobs.predict_seconds = 0
    with service.client() as client, ExitStack() as callers:
        ended = client.post("/generate", json=SMALL, headers=LATER).headers["location"]
        replicate.knobs.faults = {"get": ["slow:60"] * MORE_THAN_CONNECTIONS}
        for _ in range(MORE_THAN_CONNECTIONS):
            callers.enter_context(calling(service, "GET", ended))
        wait_for(lambda: service.metric("active_requests") == MORE_THAN_CONNECTIONS)
        wait_for(lambda: sent(replicate, "get") >= AT_ONCE)
        assert client.post("/generate", json=SMALL).status_code == 200
        replicate.knobs.predict_seconds = 60
        running = client.post("/generate", json=SMALL, headers=LATER).headers["location"]
        assert client.post(f"{running}/cancel").json()["status"] == "canceled"
        assert replicate.requests.count(("get", next(iter(replicate.predictions)))) == AT_ONCE
    wait_for(lambda: service.metric("active_requests") == 0)


def test_a_cancel_reaches_the_provider_though_its_caller_has_left(
    start: Callable[..., RunningService], replicate: FakeReplicate
) -> None:
    service = start(SDXL)
    replicate.knobs.predict_seconds, replicate.knobs.faults = 60, {"cancel": ["503"] * 4}
    with service.client() as client:
        location = client.post("/generate", json=SMALL, headers=LATER).headers["location"]
    with calling(service, "POST", f"{location}/cancel"):
        wait_for(lambda: sent(replicate, "cancel"))
    wait_for(lambda: service.metric("active_requests") == 0)
    wait_for(lambda: not replicate.running())
