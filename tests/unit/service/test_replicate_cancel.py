"""A cancel that the provider accepts and never carries out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from t2i_service.observing.metrics import Metrics
from t2i_service.providers import replicate
from t2i_service.providers.base import Status
from t2i_service.providers.replicate_wire import Answer

if TYPE_CHECKING:
    import pytest
    from t2i_service.providers.replicate_wire import Wire

FOREVER = 5.0


class Stuck:
    """Says of every prediction that it runs."""

    address = "stuck"

    async def cancel(self, prediction_id: str) -> Answer:
        return Answer(prediction_id, "processing")

    get = cancel


async def test_a_cancel_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(replicate, "CANCEL_POLL_SECONDS", 0.01)
    provider = replicate.ReplicateProvider(cast("Wire", Stuck()), Metrics("1", "c"))
    prediction = await asyncio.wait_for(provider.cancel("sdxl", "p"), FOREVER)
    assert prediction.status is Status.PROCESSING
