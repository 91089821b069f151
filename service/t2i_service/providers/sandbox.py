"""A provider that needs no token, no network and no money, and behaves like the paid one in every other respect."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from typing_extensions import override

from t2i_service.providers.base import Image, Prediction, Provider, ProviderName, Status, unbounded
from t2i_service.providers.scenery import draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2i_service.offer.tasks import Task

DRAWING_THREADS = 2
_LAYOUT = struct.Struct(">16sHHBI?dd")


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a picture depends on, small enough to be the prediction's id: any replica draws it again from that.

    The prompt itself is not in it, only its digest.
    """

    digest: bytes
    width: int
    height: int
    count: int
    seed: int
    fails: bool
    started_at: float
    ready_at: float

    @classmethod
    def of(cls, task: Task) -> Drawing:
        """Decide everything about the picture a task asks for."""
        knobs = task.model.sandbox
        inputs = (task.prompt, task.negative_prompt, task.seed, task.steps, task.guidance_scale)
        now = time.time()
        return cls(
            digest=blake2b(repr(inputs).encode(), digest_size=16).digest(),
            width=task.width,
            height=task.height,
            count=task.num_outputs,
            seed=task.seed,
            fails=random.random() < knobs.failure_rate,  # noqa: S311 - a drill, not a secret
            started_at=now,
            ready_at=now + knobs.latency,
        )

    @classmethod
    def from_id(cls, prediction_id: str) -> Drawing:
        """Raise `ValueError` for an id that no sandbox has made."""
        try:
            return cls(*_LAYOUT.unpack(base64.urlsafe_b64decode(prediction_id)))
        except (binascii.Error, struct.error) as error:
            raise ValueError("not a sandbox id") from error

    @property
    def id(self) -> str:
        """The drawing as text."""
        fields = (self.digest, self.width, self.height, self.count, self.seed, self.fails)
        return base64.urlsafe_b64encode(_LAYOUT.pack(*fields, self.started_at, self.ready_at)).decode()

    @property
    def prediction(self) -> Prediction:
        """How it stands now, by the clock alone."""
        if time.time() < self.ready_at:
            return Prediction(self.id, Status.PROCESSING, seed=self.seed)
        return self.ended

    @property
    def ended(self) -> Prediction:
        """How it ends."""
        took = self.ready_at - self.started_at
        if self.fails:
            error = "the sandbox failed, as its failureRate asks"
            return Prediction(self.id, Status.FAILED, error=error, predict_seconds=took, seed=self.seed)
        outputs = tuple(str(index) for index in range(self.count))
        return Prediction(self.id, Status.SUCCEEDED, outputs, predict_seconds=took, seed=self.seed)


class SandboxProvider(Provider):
    """Implements `Provider`; a picture is drawn in a thread when it is fetched."""

    name: ProviderName = "sandbox"
    address = "localhost"

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(DRAWING_THREADS, thread_name_prefix="draw")

    @override
    async def create(self, task: Task, deadline: float) -> Prediction:
        return Drawing.of(task).prediction

    @override
    async def wait(self, label: str, prediction: Prediction, deadline: float) -> Prediction:
        drawing = Drawing.from_id(prediction.id)
        await asyncio.sleep(drawing.ready_at - time.time())
        return drawing.ended

    @override
    async def get(self, label: str, prediction_id: str) -> Prediction:
        return Drawing.from_id(prediction_id).prediction

    @override
    async def cancel(self, label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        """Nothing runs anywhere, so there is nothing to stop."""
        return Drawing.from_id(prediction_id).prediction

    @override
    async def fetch(
        self, label: str, prediction: Prediction, index: int, claim: Callable[[int], object] = unbounded
    ) -> Image:
        drawing = Drawing.from_id(prediction.id)
        digest = drawing.digest + index.to_bytes(2)
        loop = asyncio.get_running_loop()
        data = await loop.run_in_executor(self._threads, draw, digest, drawing.width, drawing.height)
        return Image(data, "image/png", drawing.width, drawing.height)

    @override
    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
