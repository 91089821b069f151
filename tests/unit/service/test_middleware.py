"""What is counted around a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from t2i_service.app import create_state
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings
from t2i_service.web.middleware import Middleware

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send


@pytest.mark.parametrize(("path", "counted"), [("/health", 0), ("/ready", 0), ("/metrics", 0), ("/info", 1)])
async def test_a_probe_is_no_active_request(tmp_path: Path, path: str, counted: int) -> None:
    """Not even while it is answered: probes come all the time, and autoscalers may go by the number."""
    (models := tmp_path / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    state = create_state(Settings(models_file=models), Privacy(100))
    seen = list[float | None]()

    def active() -> float | None:
        return state.metrics.registry.get_sample_value("active_requests")

    async def looking(_scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(active())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app: Any = looking
    transport = httpx.ASGITransport(Middleware(app, state))
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.get(path)).status_code == 200
    assert (seen, active()) == ([counted], 0)
