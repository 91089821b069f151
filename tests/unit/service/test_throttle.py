"""An account that is throttled: all polls pause together, and no prediction that is paid for is given up for it."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from t2i_service.observing.metrics import Metrics
from t2i_service.providers import pace, replicate
from t2i_service.providers.base import Prediction, Status
from t2i_service.providers.replicate_client import PredictionBody, ReplicateClient
from t2i_service.providers.upstream_errors import UpstreamThrottledError

# Timers may fire as much too early as the clock is coarse.
EARLY = 0.01


class Throttled:
    """Refuses the first polls, and remembers when it was asked for which prediction."""

    address = "throttled"

    def __init__(self, refusals: int, after: float) -> None:
        self.asked: list[tuple[str, float]] = []
        self._refusals = refusals
        self._after = after

    async def get(self, prediction_id: str, *, for_caller: bool = False) -> PredictionBody:
        self.asked.append((prediction_id, asyncio.get_running_loop().time()))
        if len(self.asked) <= self._refusals:
            raise UpstreamThrottledError(self._after)
        return PredictionBody(prediction_id, "succeeded")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "SHORTEST_AT_FIRST", 0.01)
    monkeypatch.setattr(replicate, "LAST_SECONDS", 0.1)


async def followed(client: Throttled, seconds: float, *models: str) -> list[Prediction]:
    """Follow a prediction of each model, all of which have so many seconds left."""
    provider = replicate.ReplicateProvider(cast("ReplicateClient", client), Metrics("1", "c"))
    deadline = asyncio.get_running_loop().time() + seconds
    waits = (provider.wait(model, Prediction(model, Status.STARTING), deadline) for model in models)
    return await asyncio.gather(*waits)


async def test_one_refusal_holds_back_all_polls_of_the_account() -> None:
    client = Throttled(refusals=1, after=0.3)
    ended = await followed(client, 60, "sdxl", "turbo")
    assert [prediction.status for prediction in ended] == [Status.SUCCEEDED] * 2
    refused, *others = [moment for _, moment in client.asked]
    assert len(others) == 2
    assert min(others) - refused >= 0.3 - EARLY


async def test_what_is_paid_for_is_asked_for_again_before_its_time_ends() -> None:
    client = Throttled(refusals=1, after=30)
    (prediction,) = await followed(client, 1.2, "sdxl")
    assert prediction.status is Status.SUCCEEDED
    assert prediction.poll_gap_seconds > 0
    assert len(client.asked) == 2


async def test_a_throttle_that_lasts_is_told_in_the_end() -> None:
    client = Throttled(refusals=2, after=30)
    with pytest.raises(UpstreamThrottledError):
        await followed(client, 1.2, "sdxl")
    assert len(client.asked) == 2


async def test_no_refusal_holds_anybody_back_for_longer_than_the_account_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replicate, "LONGEST_PAUSE", 0.1)
    client = Throttled(refusals=1, after=3600)
    ended = await asyncio.wait_for(followed(client, 7200, "sdxl", "turbo"), 5)
    assert [prediction.status for prediction in ended] == [Status.SUCCEEDED] * 2


async def test_no_caller_asks_while_the_account_is_throttled() -> None:
    client = Throttled(refusals=0, after=0)
    provider = replicate.ReplicateProvider(cast("ReplicateClient", client), Metrics("1", "c"))
    provider._throttle.heard(30)
    with pytest.raises(UpstreamThrottledError) as refused:
        await provider.get("sdxl", "p1")
    assert refused.value.headers == {"Retry-After": "30"}
    provider._throttle._until = 0
    assert (await provider.get("sdxl", "p1")).status is Status.SUCCEEDED
    assert len(client.asked) == 1
