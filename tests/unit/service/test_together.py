"""One picture that cannot be fetched makes the others pointless."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from t2i_service.providers.base import Prediction, Status
from t2i_service.providers.upstream_errors import OutputGoneError

from tests.unit.service.running import TASK, HeldProvider, Running

if TYPE_CHECKING:
    from t2i_service.providers.base import Image


@dataclass
class HalfGone(HeldProvider):
    """Has lost its second picture, and never ends sending the others."""

    ended: list[int] = field(default_factory=list)

    async def wait(self, _label: str, prediction: Prediction, _deadline: float) -> Prediction:
        return Prediction(prediction.id, Status.SUCCEEDED, ("0", "1", "2"))

    async def fetch(self, _label: str, _prediction: Prediction, index: int) -> Image:
        if index == 1:
            raise OutputGoneError("gone")
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(index)
        raise NotImplementedError


async def test_one_download_that_fails_ends_the_others() -> None:
    provider = HalfGone()
    with pytest.raises(OutputGoneError):
        await Running(provider).generator.generate(TASK)
    assert sorted(provider.ended) == [0, 2]
