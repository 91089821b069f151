"""A request and the models' limits: what one model does not take another may."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from t2i_service.errors import InvalidInputError
from t2i_service.offer import models as offered
from t2i_service.offer.api import GenerateRequest
from t2i_service.offer.models import Models
from t2i_service.offer.tasks import resolve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def models(tmp_path: Path) -> Models:
    small = {"name": "small", "provider": "Sandbox", "weight": 9, "limits": {"maxWidth": 512}}
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [small, {"name": "large", "provider": "Sandbox", "weight": 1}]}))
    return Models(file)


def _chosen(models: Models, **body: object) -> set[str]:
    return {resolve(GenerateRequest.model_validate({"prompt": "p", **body}), models).model.name for _ in range(200)}


def test_a_request_that_names_no_model_goes_to_one_that_takes_it(models: Models) -> None:
    assert _chosen(models, width=1024) == {"large"}
    assert _chosen(models, width=512) == {"small", "large"}


def test_a_request_that_no_model_takes_is_refused(models: Models) -> None:
    with pytest.raises(InvalidInputError, match="num_outputs"):
        _chosen(models, num_outputs=10)


def test_a_named_model_is_asked_whatever_others_would_take(models: Models) -> None:
    with pytest.raises(InvalidInputError, match="width: must be from 64 to 512"):
        _chosen(models, model="small", width=1024)


def test_sides_that_replicate_cannot_draw_go_to_who_can_or_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    uneven = {"name": "uneven", "provider": "Replicate", "defaults": {"height": 300}, "limits": {"maxWidth": 500}}
    file.write_text(json.dumps({"models": [uneven, {"name": "drawn", "provider": "Sandbox"}]}))
    models = Models(file)
    assert _chosen(models, width=300, height=304) == {"drawn"}
    with pytest.raises(InvalidInputError) as refused:
        _chosen(models, model="uneven", width=501)
    assert [(error["field"], error["allowed"]) for error in refused.value.members["errors"]] == [
        ("width", {"minimum": 64, "maximum": 500}),
        ("height", {"multipleOf": 8}),
    ]
    assert "the model's own 300" in refused.value.detail


def test_the_start_warns_of_the_size_that_is_drawn_within_the_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[list[str]] = []
    monkeypatch.setattr(offered.log, "warning", lambda _, sides, **__: told.append(sides))
    cut = {"name": "cut", "provider": "Replicate", "defaults": {"height": 1030}}
    cut["limits"] = {"maxWidth": 500, "maxHeight": 1024}
    (file := tmp_path / "models.json").write_text(json.dumps({"models": [cut]}))
    models = Models(file)
    assert told == [["width"]]
    with pytest.raises(InvalidInputError, match="width: must be a multiple of 8"):
        _chosen(models)
