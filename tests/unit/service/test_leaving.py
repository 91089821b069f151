"""Whenever a client leaves, nothing that it would have paid for runs on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from t2i_service.generating import prediction
from t2i_service.providers.replicate import CANCEL_SECONDS
from t2i_service.routes.answers import unless_client_leaves

from tests.unit.service.running import TASK, HeldProvider, Running

if TYPE_CHECKING:
    from fastapi import Request
    from t2i_service.providers.base import Prediction

TURNS = range(25)


class Leaving:
    """A request whose client leaves after so many turns of the event loop."""

    def __init__(self, turns: int) -> None:
        self._turns = turns

    async def receive(self) -> dict[str, Any]:
        for _ in range(self._turns):
            await asyncio.sleep(0)
        return {"type": "http.disconnect"}


def leaving(turns: int) -> Request:
    return cast("Request", Leaving(turns))


@pytest.mark.parametrize("turns", TURNS)
async def test_a_caller_who_waits_for_the_picture(turns: int) -> None:
    running = Running()
    assert await unless_client_leaves(leaving(turns), running.generator.generate(TASK)) is None
    assert await running.background.drain(5) == 0
    assert running.provider.canceled == running.provider.created


async def test_its_cancel_is_tried_for_as_long_as_the_prediction_may_run() -> None:
    running, soon = Running(), asyncio.get_running_loop().time() + CANCEL_SECONDS
    await unless_client_leaves(leaving(TURNS[-1]), running.generator.generate(TASK))
    assert await running.background.drain(5) == 0
    assert running.provider.deadline > soon


class Unheard(HeldProvider):
    """Never answers a cancel."""

    async def cancel(self, _label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        await asyncio.Event().wait()
        return await super().cancel(_label, prediction_id, deadline)


async def test_a_cancel_that_a_stopping_pod_has_no_time_for_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(prediction.log, "error", lambda _, **members: told.append(members))
    running = Running(Unheard())
    await unless_client_leaves(leaving(TURNS[-1]), running.generator.generate(TASK))
    for _ in TURNS:
        await asyncio.sleep(0)
    assert await running.background.drain(0) == 1
    assert [(line["prediction_id"], line["code"]) for line in told] == [("p0", "stopping")]


@pytest.mark.parametrize("turns", TURNS)
async def test_a_caller_who_leaves_before_the_id_is_told(turns: int) -> None:
    running = Running()
    generator = running.generator
    run = await unless_client_leaves(leaving(turns), generator.begin(TASK), generator.withdraw)
    if run is None:
        assert await running.background.drain(5) == 0
        assert running.provider.canceled == running.provider.created
        return
    assert run.is_followed
    await running.background.drain(0)
    assert running.provider.canceled == []
    assert running.metrics.registry.get_sample_value("t2i_generations_abandoned_total") == 1
    assert not running.metrics.registry.get_sample_value("t2i_model_duration_seconds_count", {"model": "sdxl"})


async def test_both_ends_are_among_the_turns_tried() -> None:
    told = []
    for turns in (TURNS[0], TURNS[-1]):
        generator = Running().generator
        told.append(await unless_client_leaves(leaving(turns), generator.begin(TASK), generator.withdraw))
    assert told[0] is None
    assert told[1] is not None
    generator.withdraw(told[1])


async def test_a_request_that_is_cut_ends_its_work_before_itself() -> None:
    running = Running()
    request = asyncio.ensure_future(unless_client_leaves(leaving(10**9), running.generator.generate(TASK)))
    while not running.provider.created:  # noqa: ASYNC110 - the provider is the condition
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.wait((request,))
    assert running.metrics.registry.get_sample_value("image_generation_total", {"status": "canceled"}) == 1
    await running.background.drain(5)
    assert running.provider.canceled == running.provider.created
