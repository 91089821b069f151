"""Keys are compared in constant time, each of them, and one that no header carries is not taken for a key."""

from __future__ import annotations

import hmac
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from t2i_service.app import create_app, create_state
from t2i_service.callers import access
from t2i_service.callers.access import Access
from t2i_service.errors import UnauthorizedError
from t2i_service.observing.metrics import Metrics
from t2i_service.observing.privacy import Privacy
from t2i_service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

README = Path(__file__).parents[3] / "README.md"
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


def test_the_readme_sorts_every_route_as_the_service_does(tmp_path: Path) -> None:
    (models := tmp_path / "models.json").write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
    privacy = Privacy(100)
    app = create_app(create_state(Settings(models_file=models), privacy))._app  # type: ignore[attr-defined]
    (row,) = re.findall(r"\| needs `Authorization: Bearer` \| open \|\n\|[-|]+\|\n\|(.+)\|(.+)\|", README.read_text())
    closed, opened = (re.findall(r"`(/[^`]*)`", cell) for cell in row)
    for path in {route.path for route in app.routes}:
        if path == "/generations/{generation_id}/images/{index}":
            assert "signed links to images" in row[1]
            assert not access.needs_key(path)
        else:
            told = any(fnmatch(path, pattern) for pattern in closed)
            assert told is access.needs_key(path)
            assert told or any(path == each or (each != "/" and path.startswith(f"{each}/")) for each in opened), path


@pytest.mark.parametrize("name", [*NAMES, "mallory"])
def test_every_key_is_compared_whichever_is_presented(keys: Access, compared: list[bytes], name: str) -> None:
    try:
        found = keys.admit("/generate", f"Bearer key-of-{name}".encode())
    except UnauthorizedError:
        found = None
    assert found == (name if name in NAMES else None)
    assert len(set(compared)) == len(compared) == len(NAMES)


@pytest.mark.parametrize(
    "key", ["clé-€-of-dora", "key\nof-dora", "key-of-dora\x7f"], ids=["euro", "newline", "control"]
)
def test_a_key_that_no_header_can_carry_is_named_and_not_taken(
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
    with pytest.raises(UnauthorizedError):
        keys.admit("/generate", f"Bearer {key}".encode())


def test_a_key_that_some_clients_cannot_send_is_named_and_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(access.log, "warning", lambda event, **members: told.append(members | {"event": event}))
    (tmp_path / "alice").write_text("key-of-alice")
    (tmp_path / "dora").write_text("clé-of-dora")
    keys = Access(tmp_path, 0, Privacy(100), Metrics("1", "c"))
    (line,) = (each for each in told if each["event"] == "API keys are not ASCII")
    assert line["keys"] == ["dora"]
    assert "clé" not in str(told)
    assert keys.admit("/generate", "Bearer clé-of-dora".encode("latin-1")) == "dora"
