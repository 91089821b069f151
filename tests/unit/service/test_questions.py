"""What callers ask of the provider, of whatever kind, is so much a minute: polls and cancels share the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from t2i_service import app
from t2i_service.callers.buckets import Bucket
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODELS = '{"models": [{"name": "sdxl", "provider": "Replicate", "version": "stability-ai/sdxl:%s"}]}'


async def test_one_caller_does_not_use_up_the_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "Bucket", lambda _: Bucket(5, lambda: 0.0))
    (models := tmp_path / "models.json").write_text(MODELS % VERSION)
    (keys := tmp_path / "keys").mkdir()
    (keys / "alice").write_text("key-of-alice")
    fake = FakeReplicate()
    with serving(fake.app) as url:
        fake.base_url = url
        settings = Settings(models_file=models, api_keys_dir=keys, replicate_api_url=url, replicate_api_token=TOKEN)
        state = app.create_state(settings, Privacy(100))
        transport = httpx.ASGITransport(app.create_app(state))
        headers = {"authorization": "Bearer key-of-alice"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
            made = (await client.post("/generate", json={"prompt": "a boat", "response_format": "url"})).json()
            path, link = f"/generations/{made['id']}", made["images"][0]["url"]
            kinds = (("GET", path), ("POST", f"{path}/cancel"), ("GET", link))
            fake.requests.clear()
            told = [await client.request(*kind) for kind in (*kinds, kinds[0], kinds[0])]
            asked = [kind for kind, _ in fake.requests]
            refused = [await client.request(*kind) for kind in kinds]
        await state.providers["Replicate"].aclose()
    assert [answer.status_code for answer in told] == [200] * 5
    assert asked == ["get", "cancel", "get", "file", "get", "get"]
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in refused} == {"12"}
    assert [kind for kind, _ in fake.requests] == asked
    for reason in ("reads", "cancels", "image_links"):
        assert state.metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": reason}) == 1
