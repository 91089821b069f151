"""Keys are compared in constant time, each of them, and one that no header carries is not taken for a key."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest
from t2i_service import access
from t2i_service.access import Access
from t2i_service.errors import UnauthorizedError
from t2i_service.metrics import Metrics
from t2i_service.privacy import Privacy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("alice", "bob", "carol")


@pytest.fixture
def keys(tmp_path: Path) -> Access:
    for name in NAMES:
        (tmp_path / name).write_text(f"key-of-{name}")
    return Access(tmp_path, 0, Privacy(100), Metrics("1", "c"))


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what is compared in constant time, as it comes."""
    seen: list[bytes] = []
    compare: Callable[[bytes, bytes], bool] = hmac.compare_digest

    def counting(presented: bytes, known: bytes) -> bool:
        seen.append(known)
        return compare(presented, known)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    return seen


@pytest.mark.parametrize("name", [*NAMES, "mallory"])
def test_every_key_is_compared_whichever_is_presented(keys: Access, compared: list[bytes], name: str) -> None:
    try:
        found = keys.admit("/generate", f"Bearer key-of-{name}".encode())
    except UnauthorizedError:
        found = None
    assert found == (name if name in NAMES else None)
    assert len(set(compared)) == len(compared) == len(NAMES)


@pytest.mark.parametrize(
    "key", ["clé-of-dora", "key\nof-dora", "key-of-dora\x7f"], ids=["accent", "newline", "control"]
)
def test_a_key_that_no_header_can_be_relied_on_to_carry_is_named_and_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(access.log, "warning", lambda event, **members: told.append(members | {"event": event}))
    (tmp_path / "alice").write_text("key-of-alice")
    (tmp_path / "dora").write_text(key)
    keys = Access(tmp_path, 0, Privacy(100), Metrics("1", "c"))
    (line,) = (each for each in told if each["event"] == "API keys are not taken over")
    assert line["keys"] == ["dora"]
    assert "clé" not in str(told)
    assert keys.admit("/generate", b"Bearer key-of-alice") == "alice"
    for encoding in ("utf-8", "latin-1"):
        with pytest.raises(UnauthorizedError):
            keys.admit("/generate", f"Bearer {key}".encode(encoding))
