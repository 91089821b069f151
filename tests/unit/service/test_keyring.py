"""An id has one spelling, and its links one signature."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest
from t2i_service.app import create_app, create_state
from t2i_service.callers.keyring import ANYBODY, Keyring, Reference
from t2i_service.errors import UnknownGenerationError
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

URLSAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def id_with(sign: str, keyring: Keyring) -> str:
    """Return an id in which the sign stands, and the last character of which has bits that say nothing."""
    while True:
        for prediction in ("p", "p1", "p12"):
            reference = Reference("sdxl", "sandbox", prediction, 1, "", "", "request", int(time.time()) + 600, "alice")
            generation_id = keyring.id_of(reference)
            if sign in generation_id and len(generation_id) % 4:
                return generation_id


def with_flipped_end(generation_id: str) -> str:
    return generation_id[:-1] + URLSAFE[URLSAFE.index(generation_id[-1]) ^ 1]


@pytest.mark.parametrize(
    "respelled",
    [
        lambda it: f"{it}!!!!",
        lambda it: f"{it}====",
        lambda it: f"{it[:9]}~~~~{it[9:]}",
        lambda it: it.replace("-", "+"),
        with_flipped_end,
    ],
    ids=["foreign behind", "padded", "foreign within", "plus", "unused bits"],
)
async def test_another_spelling_of_an_id_is_none(tmp_path: Path, respelled: Callable[[str], str]) -> None:
    (models := tmp_path / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    state = create_state(Settings(models_file=models), Privacy(100))
    generation_id = id_with("-", state.keyring)
    other = respelled(generation_id)
    assert other != generation_id
    assert state.keyring.reference_of(generation_id, ANYBODY).owner == "alice"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(state)), base_url="http://service") as client:
        answer = await client.get(f"/generations/{other}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_generation")
    with pytest.raises(UnknownGenerationError):
        state.keyring.signature(other, 0)
    assert not state.keyring.is_signed(other, 0, state.keyring.signature(generation_id, 0))
