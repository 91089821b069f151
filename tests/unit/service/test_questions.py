"""What callers ask of the provider is so much a minute: polls share the account, and no question costs a cancel."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from t2i_service import app
from t2i_service.callers import concurrency_limit
from t2i_service.callers.buckets import Bucket
from t2i_service.callers.concurrency_limit import AT_ONCE, ConcurrencyLimit
from t2i_service.errors import OverloadedError
from t2i_service.observing.metrics import Metrics
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from t2i_service.state import State

SDXL = {"name": "sdxl", "provider": "Replicate", "version": f"stability-ai/sdxl:{VERSION}"}
SANDBOX = {"name": "sdxl", "provider": "Sandbox"}
MOST = 5


@asynccontextmanager
async def asking(folder: Path, model: dict[str, str], url: str) -> AsyncIterator[tuple[httpx.AsyncClient, State]]:
    """Yield alice's client of a service of that model."""
    (models := folder / "models.json").write_text(json.dumps({"models": [model]}))
    (keys := folder / "keys").mkdir()
    (keys / "alice").write_text("key-of-alice")
    settings = Settings(models_file=models, api_keys_dir=keys, replicate_api_url=url, replicate_api_token=TOKEN)
    state = app.create_state(settings, Privacy(100))
    transport = httpx.ASGITransport(app.create_app(state))
    headers = {"authorization": "Bearer key-of-alice"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client, state
    for provider in state.providers.values():
        await provider.aclose()


async def kinds_of(client: httpx.AsyncClient) -> tuple[tuple[str, str], ...]:
    """Make an image; return how to ask for it, how to follow its link and how to cancel it."""
    made = (await client.post("/generate", json={"prompt": "a boat", "response_format": "url"})).json()
    path = f"/generations/{made['id']}"
    return ("GET", path), ("GET", made["images"][0]["url"]), ("POST", f"{path}/cancel")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "Bucket", lambda _: Bucket(MOST, lambda: 0.0))


@pytest.mark.usefixtures("few")
async def test_one_caller_uses_up_neither_the_account_nor_the_cancels(tmp_path: Path) -> None:
    fake = FakeReplicate()
    with serving(fake.app) as url:
        fake.base_url = url
        async with asking(tmp_path, SDXL, url) as (client, state):
            read, link, cancel = await kinds_of(client)
            fake.requests.clear()
            told = [await client.request(*kind) for kind in (read, link, read, link, read)]
            refused = [await client.request(*kind) for kind in (read, link)]
            asked = [kind for kind, _ in fake.requests]
            told += [await client.request(*cancel) for _ in range(MOST)]
            canceled = [kind for kind, _ in fake.requests][len(asked) :]
            refused.append(await client.request(*cancel))
            sent = len(fake.requests)
    assert [answer.status_code for answer in told] == [200] * 2 * MOST
    assert asked == ["get", "get", "file", "get", "get", "file", "get"]
    assert canceled == ["cancel"] * MOST
    assert sent == len(asked) + len(canceled)
    assert {(answer.status_code, answer.json()["code"]) for answer in refused} == {(503, "overloaded")}
    assert {answer.headers["retry-after"] for answer in refused} == {"12"}
    for reason in ("reads", "cancels", "image_links"):
        assert state.metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": reason}) == 1


@pytest.mark.usefixtures("few")
async def test_what_the_sandbox_knows_is_no_question(tmp_path: Path) -> None:
    async with asking(tmp_path, SANDBOX, "http://nobody") as (client, _):
        read, link, _ = await kinds_of(client)
        told = [await client.request(*kind) for kind in (read, link) * MOST]
    assert {answer.status_code for answer in told} == {200}


async def test_who_gets_no_slot_has_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency_limit, "WAIT_SECONDS", 0.01)
    questions = Bucket(AT_ONCE + 1, lambda: 0.0)
    limit = ConcurrencyLimit(Metrics("1", "c"), "reads", "Too many.", questions)

    async def hold(slots: int) -> None:
        async with limit.slot():
            if slots > 1:
                await hold(slots - 1)
                return
            for _ in range(3):
                with pytest.raises(OverloadedError, match="Too many"):
                    await hold(1)

    await hold(AT_ONCE)
    assert questions.take(1) == 0.0
