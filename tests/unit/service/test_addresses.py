"""What a gateway is called, and where it listens, is for those who run the service and not for its callers."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from t2i_service.app import create_app, create_state
from t2i_service.callers.keyring import Reference
from t2i_service.observing.privacy import Privacy
from t2i_service.providers import replicate, replicate_client
from t2i_service.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("host", ["127.0.0.1", "gateway..internal"], ids=["closed", "unnameable"])
async def test_no_address_of_the_inside_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    causes: list[str] = []
    monkeypatch.setattr(replicate, "FETCH_SECONDS", 0.1)
    monkeypatch.setattr(replicate_client.log, "warning", lambda _, cause: causes.append(cause))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
    (models := tmp_path / "models.json").write_text(
        '{"models": [{"name": "sdxl", "provider": "Replicate", "version": "a/b:c", "timeoutSeconds": 1}]}'
    )
    settings = Settings(models_file=models, replicate_api_url=f"http://{host}:{port}", replicate_api_token="r8_token")
    state = create_state(settings, Privacy(100))
    reference = Reference("sdxl", "replicate", "p1", 1, "", "", "request", int(time.time()) + 600, "")
    generation_id = state.keyring.id_of(reference)
    link = f"/generations/{generation_id}/images/0?signature={state.keyring.signature(generation_id, 0)}"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://service") as client:
        answers = [await client.post("/generate", json={"prompt": "a lighthouse"}), await client.get(link)]
        answers.append(await client.get(f"/generations/{generation_id}"))
    await state.providers["Replicate"].aclose()
    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (503, "No connection to the provider.")
        assert host not in answer.text
        assert str(port) not in answer.text
    assert len(causes) >= len(answers)
    assert all(host in cause for cause in causes)
