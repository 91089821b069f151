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
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port on which nobody listens: it is held, so that nobody else gets it meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "gateway..internal"], ids=["closed", "unnameable"])
async def test_no_address_of_the_inside_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int, host: str
) -> None:
    causes: list[str] = []
    # One try, for which there is all the time.
    monkeypatch.setattr(replicate, "FIRST_BACKOFF", replicate.FETCH_SECONDS)
    monkeypatch.setattr(replicate_client.log, "warning", lambda _, cause: causes.append(cause))
    (models := tmp_path / "models.json").write_text(
        '{"models": [{"name": "sdxl", "provider": "Replicate", "version": "a/b:c", "timeoutSeconds": 20}]}'
    )
    settings = Settings(models_file=models, replicate_api_url=f"http://{host}:{port}", replicate_api_token="r8_token")
    state = create_state(settings, Privacy(100))
    reference = Reference("sdxl", "replicate", "p1", 1, "", "", "request", int(time.time()) + 600, "")
    generation_id = state.keyring.id_of(reference)
    link = f"/generations/{generation_id}/images/0?signature={state.keyring.signature(generation_id, 0)}"
    transport, headers = httpx.ASGITransport(create_app(state)), {"x-request-id": "mine"}  # no digits by chance
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        answers = [await client.post("/generate", json={"prompt": "a lighthouse"}), await client.get(link)]
        answers.append(await client.get(f"/generations/{generation_id}"))
    await state.providers["Replicate"].aclose()
    for answer in answers:
        assert (answer.status_code, answer.json()["detail"]) == (503, "No connection to the provider.")
        assert host not in answer.text
        assert str(port) not in answer.text
    assert len(causes) >= len(answers)
    assert all(host in cause for cause in causes)
