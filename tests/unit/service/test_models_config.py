"""`models.json` as the operator writes it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from t2i_service.offer.models import Models
from t2i_service.offer.models_config import ModelsError, read, seconds_of

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, *models: dict[str, object]) -> Path:
    file = folder / "models.json"
    file.write_text(json.dumps({"models": models}))
    return file


def test_the_resources_own_spelling_is_read(tmp_path: Path) -> None:
    (model,) = read(
        write(
            tmp_path,
            {
                "name": "sdxl",
                "provider": "Sandbox",
                "timeoutSeconds": 60,
                "price": {"perSecond": "0.000975", "currency": "USD"},
                "limits": {"maxWidth": 512, "maxPromptCharacters": 10},
                "defaults": {"guidanceScale": "8.5", "negativePrompt": "blur"},
                "sandbox": {"latency": "1m1s500ms", "failureRate": "0.25"},
                "addedByANewerOperator": True,
            },
        )
    )
    assert model.price is not None
    assert model.price.per_second == Decimal("0.000975")
    assert (model.limits.max_width, model.limits.max_height) == (512, 2048)
    assert (model.defaults.guidance_scale, model.defaults.width) == (8.5, 1024)
    assert (model.sandbox.latency, model.sandbox.failure_rate) == (61.5, 0.25)


@pytest.mark.parametrize(
    ("models", "reason"),
    [
        ([], "models"),
        ([{"name": "a", "provider": "Other"}], "provider"),
        ([{"name": "a", "provider": "Sandbox"}] * 2, "same name"),
        ([{"name": "a", "provider": "Sandbox", "weight": 0}], "weight"),
        ([{"name": "a", "provider": "Sandbox", "sandbox": {"latency": "soon"}}], "soon"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, models: list[dict[str, object]], reason: str) -> None:
    with pytest.raises(ModelsError, match=reason):
        read(write(tmp_path, *models))


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelsError, match="No such file"):
        read(tmp_path / "absent.json")


@pytest.mark.parametrize(("text", "seconds"), [("250ms", 0.25), ("2s", 2), ("1m30s", 90), ("1.5h", 5400), (3, 3)])
def test_durations(text: str | int, seconds: float) -> None:
    assert seconds_of(text) == seconds


def test_weights_choose_and_zero_is_only_by_name(tmp_path: Path) -> None:
    models = Models(
        write(
            tmp_path,
            {"name": "often", "provider": "Sandbox", "weight": 9},
            {"name": "seldom", "provider": "Sandbox", "weight": 1},
            {"name": "never", "provider": "Sandbox", "weight": 0},
        )
    )
    picked = [models.pick(lambda _: True).name for _ in range(1000)]
    assert set(picked) == {"often", "seldom"}
    assert picked.count("often") > 800
    assert {models.pick(lambda model: model.name != "often").name for _ in range(50)} == {"seldom"}
    assert {models.pick(lambda model: model.name == "never").name for _ in range(1000)} == {"often", "seldom"}
    assert models.get("never") is not None
