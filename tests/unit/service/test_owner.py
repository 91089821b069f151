"""Whose ids a request may use, should a path ever come by the keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
from t2i_service.app import create_app, create_state
from t2i_service.callers import access
from t2i_service.callers.keyring import Reference
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = Reference("sdxl", "sandbox", "p1", 1, "", "", "request", int(time.time()) + 600, "alice")


@pytest.mark.parametrize(("method", "end"), [("GET", ""), ("POST", "/cancel"), ("POST", None)])
async def test_who_comes_by_the_keys_is_not_taken_for_everybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, end: str | None
) -> None:
    monkeypatch.setattr(access, "needs_key", lambda _: False)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "alice").write_text("key-of-alice")
    models = tmp_path / "models.json"
    models.write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    state = create_state(Settings(models_file=models, api_keys_dir=tmp_path / "keys"), Privacy(200))
    generation_id = state.keyring.id_of(REFERENCE)
    path = "/feedback" if end is None else f"/generations/{generation_id}{end}"
    body = {"generation_id": generation_id, "rating": "up"} if end is None else None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://service") as client:
        answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
