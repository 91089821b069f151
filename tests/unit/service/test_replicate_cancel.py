"""What the provider accepts and never brings to an end: a cancel, an answer that comes byte by byte."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from t2i_service.observing.metrics import Metrics
from t2i_service.providers import replicate
from t2i_service.providers.base import Status
from t2i_service.providers.replicate_client import PredictionBody, ReplicateClient
from t2i_service.providers.upstream_errors import UpstreamCutError

from tests.fakes.processes import serving
from tests.fakes.replicate import TOKEN, FakeReplicate

FOREVER = 5.0


class Stuck:
    """Says of every prediction that it runs."""

    address = "stuck"

    async def cancel(self, prediction_id: str) -> PredictionBody:
        return PredictionBody(prediction_id, "processing")

    get = cancel


async def test_a_cancel_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(replicate, "CANCEL_POLL_SECONDS", 0.01)
    provider = replicate.ReplicateProvider(cast("ReplicateClient", Stuck()), Metrics("1", "c"))
    prediction = await asyncio.wait_for(provider.cancel("sdxl", "p"), FOREVER)
    assert prediction.status is Status.PROCESSING


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
