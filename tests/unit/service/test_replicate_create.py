"""A create whose caller leaves: nothing more is sent, and what was sent comes to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from t2i_service.observing.metrics import Metrics
from t2i_service.offer.models_config import Model
from t2i_service.offer.tasks import Task
from t2i_service.providers.replicate import ReplicateProvider
from t2i_service.providers.replicate_client import PredictionBody
from t2i_service.providers.upstream_errors import UpstreamThrottledError

if TYPE_CHECKING:
    from t2i_service.providers.base import Prediction

TASK = Task(Model(name="sdxl", provider="Replicate"), "a lighthouse", "", 64, 64, 1, 7, 20, 7.5, "K_EULER")


class SlowClient:
    """Answers a create when it is told to, with what it is told."""

    address = "slow"

    def __init__(self) -> None:
        self.creates = 0
        self.begun = asyncio.Event()
        self.answer: asyncio.Future[PredictionBody] = asyncio.get_running_loop().create_future()

    async def create(self, *_: Any) -> PredictionBody:
        self.creates += 1
        self.begun.set()
        return await self.answer


def begin(client: Any, metrics: Metrics | None = None) -> asyncio.Task[Prediction]:
    provider = ReplicateProvider(client, metrics or Metrics("1", "c"))
    return asyncio.ensure_future(provider.create(TASK, asyncio.get_running_loop().time() + 60))


async def left_under_way() -> tuple[SlowClient, asyncio.Task[Prediction]]:
    """Begin a create whose caller leaves while the request is on its way."""
    client = SlowClient()
    create = begin(client)
    await client.begun.wait()
    create.cancel()
    await asyncio.sleep(0)
    return client, create


async def test_who_leaves_between_two_tries_is_not_charged() -> None:
    client, metrics = SlowClient(), Metrics("1", "c")
    client.answer.set_exception(UpstreamThrottledError(30))
    create = begin(client, metrics)
    labels = {"model": "sdxl", "reason": "rate_limited"}
    # Nothing else tells that the back-off has begun.
    while not metrics.registry.get_sample_value("t2i_model_retries_total", labels):  # noqa: ASYNC110
        await asyncio.sleep(0)
    create.cancel()
    with pytest.raises(asyncio.CancelledError):
        await create
    assert client.creates == 1


async def test_what_is_under_way_is_still_returned() -> None:
    client, create = await left_under_way()
    client.answer.set_result(PredictionBody("p", "starting"))
    assert (await create).id == "p"


async def test_what_fails_after_its_caller_has_left_is_not_tried_again() -> None:
    client, create = await left_under_way()
    client.answer.set_exception(UpstreamThrottledError(0.1))
    with pytest.raises(UpstreamThrottledError):
        await create
    assert client.creates == 1


async def test_a_second_cancel_ends_the_wait() -> None:
    client = SlowClient()
    create = begin(client)
    await client.begun.wait()
    for _ in range(2):
        create.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await create
