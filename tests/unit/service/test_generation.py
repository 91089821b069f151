"""What a generation leaves in memory once nobody has it any more."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace

from t2i_service.providers.base import Image, Prediction, Status

from tests.unit.service.running import TASK, HeldProvider, Running


class Picture(Image):
    """An image that can be watched: its parent's slots leave no room for weak references."""


class QuickProvider(HeldProvider):
    """Has the picture as soon as it is asked."""

    async def wait(self, _label: str, prediction: Prediction, _deadline: float) -> Prediction:
        return replace(prediction, status=Status.SUCCEEDED, outputs=("picture",))

    async def fetch(self, _label: str, _prediction: Prediction, _index: int) -> Image:
        return Picture(b"", "image/png", 64, 64)


async def test_pictures_go_without_waiting_for_the_garbage_collector() -> None:
    running = Running(QuickProvider())
    gc.disable()
    try:
        task = asyncio.create_task(running.generator.generate(TASK))
        left = weakref.ref((await task).images[0])
        del task
        await asyncio.sleep(0)
        assert left() is None
    finally:
        gc.enable()
