"""What every provider offers: create a prediction, follow it to its end, cancel it, fetch its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from t2i_service.offer.tasks import Task

ProviderName = Literal["replicate", "sandbox"]


class Status(StrEnum):
    """Replicate's six words."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Nothing will change any more."""
        return self not in (Status.STARTING, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A prediction as its provider last told it: how long it ran, and how long it took from its create to its end.

    The gap is how long its end went unnoticed between two polls.
    """

    id: str
    status: Status
    outputs: tuple[str, ...] = ()
    error: str = ""
    predict_seconds: float | None = None
    total_seconds: float | None = None
    poll_gap_seconds: float = 0.0
    seed: int | None = None
    tokens: dict[str, int] | None = None
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Image:
    """The bytes of one picture and what they say about themselves."""

    data: bytes
    content_type: str
    width: int
    height: int


def unbounded(_size: int) -> None:
    """Claim nothing: generations have their own bound."""


class Provider(Protocol):
    """Deadlines are absolute, in the event loop's time; errors are `ServiceError`s a user understands.

    `label` is what the model is called where something is counted of it.
    """

    name: ProviderName
    address: str

    async def create(self, task: Task, deadline: float) -> Prediction:
        """Start a prediction; it costs money from here on.

        Cancelled, it starts nothing more; what is being started by then is still returned, so that it can be stopped.
        """
        ...

    async def wait(self, label: str, prediction: Prediction, deadline: float) -> Prediction:
        """Follow it to its end."""
        ...

    async def get(self, label: str, prediction_id: str) -> Prediction:
        """Ask how it stands, for a caller."""
        ...

    async def cancel(self, label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        """Stop it and return how it ended, with what it cost until then; or as it stands when it takes too long.

        It is tried for a few seconds, and until a `deadline` that is later.
        """
        ...

    async def fetch(
        self, label: str, prediction: Prediction, index: int, claim: Callable[[int], object] = unbounded
    ) -> Image:
        """Get one of its pictures.

        `claim` is told how large it may get before it is read, and raises where it is not to be read now.
        """
        ...

    async def aclose(self) -> None:
        """Let go of threads and connections."""
        ...


def is_sandbox(provider: Provider) -> bool:
    """Whether it draws by itself: an id says all, so that nobody is asked and nothing runs."""
    return provider.name == "sandbox"
