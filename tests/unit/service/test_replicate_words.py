"""What Replicate's answers mean in our words."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from t2i_service.observing.metrics import Metrics
from t2i_service.providers import replicate_words
from t2i_service.providers.replicate import ReplicateProvider
from t2i_service.providers.replicate_client import PredictionBody, ReplicateClient
from t2i_service.providers.replicate_words import gap_of, prediction_from
from t2i_service.providers.upstream_errors import UpstreamAnswerError


@pytest.mark.parametrize(
    ("metrics", "gap"),
    [
        ({"total_time": 1.03}, 0.07),
        ({}, 0.1),
        ({"total_time": "soon"}, 0.1),
        ({"total_time": 0.5}, 0.1),
        ({"total_time": 2}, 0),
    ],
)
def test_the_gap_is_from_the_end_to_the_poll_that_saw_it(metrics: dict[str, Any], gap: float) -> None:
    answer = PredictionBody(id="p", status="succeeded", metrics=metrics)
    assert gap_of(prediction_from(answer), before=1.0, asked=1.1) == pytest.approx(gap)


async def test_an_id_that_no_path_can_hold_is_asked_for_once() -> None:
    metrics = Metrics("1", "c")
    provider = ReplicateProvider(ReplicateClient("http://127.0.0.1:9", "token", 1, 1), metrics)
    with pytest.raises(UpstreamAnswerError, match="is none"):
        await provider.get("sdxl", "../models")
    await provider.aclose()
    labels = {"model": "sdxl", "reason": "bad_answer"}
    assert metrics.registry.get_sample_value("t2i_model_upstream_errors_total", labels) == 1


@pytest.mark.parametrize(
    "figure",
    [b"-0.5", b"1e300", b"1" + b"0" * 400, b"true", b'"soon"', b"null"],
    ids=["negative", "endless", "vast", "true", "word", "null"],
)
def test_a_figure_that_cannot_be_is_left_out(figure: bytes) -> None:
    metrics = b'{"predict_time": %b, "total_time": %b, "input_token_count": %b}' % (figure, figure, figure)
    answer = msgspec.json.decode(b'{"id": "p", "status": "succeeded", "metrics": %b}' % metrics, type=PredictionBody)
    prediction = prediction_from(answer)
    assert (prediction.predict_seconds, prediction.total_seconds, prediction.tokens) == (None, None, None)


def test_it_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(replicate_words.log, "warning", told.append)
    replicate_words._doubt.cache_clear()
    body = PredictionBody(id="p", status="succeeded", metrics={"predict_time": -1, "output_token_count": -1})
    for _ in range(3):
        prediction_from(body)
    assert len(told) == 1
