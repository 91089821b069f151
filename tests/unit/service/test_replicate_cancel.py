"""What the provider accepts and never brings to an end: a cancel, an answer that comes byte by byte."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from t2i_service.observing.metrics import Metrics
from t2i_service.providers import replicate
from t2i_service.providers.base import Status
from t2i_service.providers.replicate_client import PredictionBody, ReplicateClient
from t2i_service.providers.upstream_errors import (
    UpstreamCutError,
    UpstreamThrottledError,
    UpstreamUnauthorizedError,
)

from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, FakeReplicate
from tests.unit.service.running import TASK

FOREVER = 5.0


class Stuck:
    """Says of every prediction that it runs."""

    address = "stuck"

    async def cancel(self, prediction_id: str) -> PredictionBody:
        return PredictionBody(prediction_id, "processing")

    get = cancel


class Unseen(Stuck):
    """Accepts a cancel, and does not say how it ends."""

    async def get(self, prediction_id: str) -> PredictionBody:
        raise UpstreamUnauthorizedError(prediction_id)


async def test_a_cancel_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(replicate, "CANCEL_POLL_SECONDS", 0.01)
    provider = replicate.ReplicateProvider(cast("ReplicateClient", Stuck()), Metrics("1", "c"))
    prediction = await asyncio.wait_for(provider.cancel("sdxl", "p"), FOREVER)
    assert prediction.status is Status.PROCESSING


async def test_a_cancel_that_is_accepted_is_none_that_failed() -> None:
    provider = replicate.ReplicateProvider(cast("ReplicateClient", Unseen()), Metrics("1", "c"))
    prediction = await provider.cancel("sdxl", "p")
    assert prediction.status is Status.PROCESSING


async def test_a_throttled_cancel_is_tried_again_for_as_long_as_its_prediction_may_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicate, "CANCEL_SECONDS", 0.5)
    fake, loop = FakeReplicate(), asyncio.get_running_loop()
    fake.knobs.predict_seconds, fake.knobs.faults = 60, {"cancel": ["429", "429"]}
    with serving(fake.app) as url:
        provider = replicate.ReplicateProvider(ReplicateClient(url, TOKEN, 1, 1), Metrics("1", "c"))
        created = await provider.create(TASK, loop.time() + 60)
        # Who asks for a cancel is told at once.
        with pytest.raises(UpstreamThrottledError):
            await provider.cancel("sdxl", created.id)
        ended = await provider.cancel("sdxl", created.id, loop.time() + 60)
        await provider.aclose()
    assert ended.status is Status.CANCELED
    assert ended.predict_seconds


@pytest.mark.parametrize("question", ["get", "cancel"])
async def test_an_answer_that_comes_byte_by_byte_is_given_up_and_counted(
    monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    monkeypatch.setattr(replicate, "CANCEL_SECONDS", 0.2)
    monkeypatch.setattr(replicate, "FETCH_SECONDS", 0.2)
    fake, metrics = FakeReplicate(), Metrics("1", "c")
    fake.knobs.faults = {question: ["drip"]}
    with serving(fake.app) as url:
        provider = replicate.ReplicateProvider(ReplicateClient(url, TOKEN, 1, 1), metrics)
        with pytest.raises(UpstreamCutError, match="did not end in time"):
            await asyncio.wait_for(getattr(provider, question)("sdxl", "p"), FOREVER)
        await provider.aclose()
    labels = {"model": "sdxl", "reason": "cut"}
    assert metrics.registry.get_sample_value("t2i_model_upstream_errors_total", labels) == 1
