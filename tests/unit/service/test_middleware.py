"""What is counted around a request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from t2i_service.app import create_state
from t2i_service.observing.privacy import Privacy
from t2i_service.observing.spans import Span, Tracer
from t2i_service.settings import Settings
from t2i_service.web.middleware import Middleware

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send
    from t2i_service.state import State

CHECKED_SECONDS = 0.05


@pytest.fixture
def state(tmp_path: Path) -> State:
    (models := tmp_path / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    return create_state(Settings(models_file=models), Privacy(100))


async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def asking(app: Any, state: State) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Middleware(app, state)), base_url="http://service")


@pytest.mark.parametrize(("path", "counted"), [("/health", 0), ("/ready", 0), ("/metrics", 0), ("/info", 1)])
async def test_a_probe_is_no_active_request(state: State, path: str, counted: int) -> None:
    """Not even while it is answered: probes come all the time, and autoscalers may go by the number."""
    seen = list[float | None]()

    def active() -> float | None:
        return state.metrics.registry.get_sample_value("active_requests")

    async def looking(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(active())
        await respond(scope, receive, send)

    async with asking(looking, state) as client:
        assert (await client.get(path)).status_code == 200
    assert (seen, active()) == ([counted], 0)


async def test_a_span_holds_all_of_its_request_s_duration(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check of the key as well, which must come first: it decides whose trace the span joins."""
    spans = list[Span]()
    admit = state.access.admit

    def checking(path: str, authorization: bytes | None) -> str | None:
        time.sleep(CHECKED_SECONDS)
        return admit(path, authorization)

    monkeypatch.setattr(state.access, "admit", checking)
    state.tracing.tracer = Tracer(1.0, record_all=False, on_end=spans.append)
    async with asking(respond, state) as client:
        await client.post("/generate")
    (span,) = spans
    assert (span.end_ns - span.start_ns) / 1e9 >= CHECKED_SECONDS
