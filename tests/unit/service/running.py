"""A generator with everything real but the provider, which the test holds in its hand."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from t2i_service.generating.admission import Admission
from t2i_service.generating.background import Background
from t2i_service.generating.breaker import Breaker
from t2i_service.generating.generation import Generator
from t2i_service.generating.recording import Recorder
from t2i_service.observing.context import RequestContext, current
from t2i_service.observing.metrics import Metrics
from t2i_service.observing.privacy import Privacy
from t2i_service.offer.models_config import Model
from t2i_service.offer.tasks import Task
from t2i_service.providers.base import Prediction, Status

if TYPE_CHECKING:
    from t2i_service.providers.base import Image

MODEL = Model(name="sdxl", provider="Replicate")
TASK = Task(MODEL, "a lighthouse", "", 64, 64, 1, 7, 20, 7.5, "K_EULER")


@dataclass
class HeldProvider:
    """Creates after so many turns of the loop, and never ends by itself."""

    turns: int = 3
    created: list[str] = field(default_factory=list)
    canceled: list[str] = field(default_factory=list)
    deadline: float = 0.0
    name: Any = "replicate"
    address: str = "held"

    async def create(self, _task: Task, _deadline: float) -> Prediction:
        work = asyncio.ensure_future(self._create())
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            return await work

    async def _create(self) -> Prediction:
        self.created.append(prediction_id := f"p{len(self.created)}")
        for _ in range(self.turns):
            await asyncio.sleep(0)
        return Prediction(prediction_id, Status.STARTING)

    async def wait(self, _label: str, prediction: Prediction, _deadline: float) -> Prediction:
        await asyncio.Event().wait()
        return prediction

    async def get(self, _label: str, prediction_id: str) -> Prediction:
        return Prediction(prediction_id, Status.PROCESSING)

    async def cancel(self, _label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        self.canceled.append(prediction_id)
        self.deadline = deadline
        return Prediction(prediction_id, Status.CANCELED)

    async def fetch(self, _label: str, _prediction: Prediction, _index: int) -> Image:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


@dataclass
class Running:
    """The parts a test looks at."""

    provider: HeldProvider = field(default_factory=HeldProvider)
    metrics: Metrics = field(default_factory=lambda: Metrics("1", "c"))
    background: Background = field(default_factory=Background)
    max_in_flight: int = 4
    max_queued: int = 4
    max_queue_seconds: float = 30.0
    breaker: Breaker = field(default_factory=lambda: Breaker("sdxl"))

    def __post_init__(self) -> None:
        admission = Admission(self.max_in_flight, self.max_queued, self.max_queue_seconds, self.metrics)
        recorder = Recorder(self.metrics, Privacy(100))
        self.generator = Generator({"Replicate": self.provider}, admission, recorder, self.background)
        self.generator.breakers["sdxl"] = self.breaker
        current.set(RequestContext("request", time.perf_counter()))
