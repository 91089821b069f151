"""Replicate's words and ours: a task as its input, its answer as a prediction."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from t2i_service.observing import logs
from t2i_service.providers.base import Prediction, Status
from t2i_service.providers.upstream_errors import UpstreamWordError, capped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2i_service.offer.tasks import Task
    from t2i_service.providers.replicate_client import PredictionBody

_LINK = ("https://", "http://", "data:")
# More than any prediction runs, and more than any model takes or makes.
MOST_SECONDS = 24 * 60 * 60
MOST_TOKENS = 10**9
_STATUS_WORD = re.compile(r"[a-z_]{1,12}")

log = logs.get("app.replicate")


def inputs_of(task: Task) -> dict[str, Any]:
    """Return SDXL's own input names."""
    return {
        "prompt": task.prompt,
        "negative_prompt": task.negative_prompt,
        "width": task.width,
        "height": task.height,
        "num_outputs": task.num_outputs,
        "num_inference_steps": task.steps,
        "guidance_scale": task.guidance_scale,
        "scheduler": task.scheduler,
        "seed": task.seed,
    }


def prediction_from(answer: PredictionBody, *, of_create: bool = False) -> Prediction:
    """Raise `UpstreamWordError` for a status that the API does not have.

    Not of a create: what it made costs money, and is followed by its id, and canceled when the word stays unknown.
    """
    try:
        status = Status(answer.status)
    except ValueError as error:
        status = Status.STARTING
        word = f" {answer.status!r}" if _STATUS_WORD.fullmatch(answer.status) else ""
        if not of_create:
            raise UpstreamWordError(f"The provider's status{word} is unknown.") from error
    metrics, inputs = answer.metrics or {}, answer.input or {}
    return Prediction(
        id=answer.id,
        status=status,
        outputs=tuple(_links(answer.output)),
        error=capped(answer.error or ""),
        predict_seconds=_seconds(metrics.get("predict_time")),
        total_seconds=_seconds(metrics.get("total_time", metrics.get("predict_time"))),
        seed=inputs.get("seed"),
        prompts=tuple(str(inputs[name]) for name in ("prompt", "negative_prompt") if inputs.get(name)),
        tokens=_tokens(metrics),
    )


def gap_of(prediction: Prediction, before: float, asked: float) -> float:
    """Return how long the end went unnoticed: by the provider's own duration, at most the time between two polls."""
    took = prediction.total_seconds
    return min(max(asked - (before if took is None else took), 0.0), asked - before)


def _links(output: Any) -> Iterator[str]:
    """Find the pictures in what a model calls its output: a link, or several, or whatever JSON it likes."""
    for each in output if isinstance(output, list) else [output]:
        yield from [each] if isinstance(each, str) else _among(each)


def _among(value: Any, levels: int = 8) -> Iterator[str]:
    """Find what begins as a link among other words: `{"image": "https://…", "prompt": "…"}`."""
    if isinstance(value, str):
        if value.startswith(_LINK):
            yield value
    elif levels and isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _among(each, levels - 1)


def _seconds(value: Any) -> float | None:
    return float(value) if _can_be(value, MOST_SECONDS) else None


def _tokens(metrics: dict[str, Any]) -> dict[str, int] | None:
    """Return token counts where the provider reports them; none are made up."""
    counts = {
        kind: count
        for kind in ("input", "output")
        if isinstance(count := metrics.get(f"{kind}_token_count"), int) and _can_be(count, MOST_TOKENS)
    }
    return counts or None


def _can_be(value: Any, most: int) -> bool:
    """Tell figures that may be counted: one below zero breaks a counter, one without end spoils it for good."""
    if type(value) not in (int, float):
        return False
    if 0 <= value <= most:
        return True
    _doubt()
    return False


@cache
def _doubt() -> None:
    log.warning("The provider reports a figure that cannot be: such are left out, and this is said once")
