"""Replicate's words and ours: a task as its input, its answer as a prediction."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from t2i_service.providers.base import Prediction, Status
from t2i_service.upstream_errors import UpstreamAnswerError, capped

if TYPE_CHECKING:
    from t2i_service.providers.replicate_wire import Answer
    from t2i_service.tasks import Task

_STATUS_WORD = re.compile(r"[a-z_]{1,12}")


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


def prediction_from(answer: Answer) -> Prediction:
    """Raise `UpstreamAnswerError` for a status that the API does not have."""
    try:
        status = Status(answer.status)
    except ValueError as error:
        word = f" {answer.status!r}" if _STATUS_WORD.fullmatch(answer.status) else ""
        raise UpstreamAnswerError(f"The provider's status{word} is unknown.") from error
    output, metrics, inputs = answer.output or [], answer.metrics or {}, answer.input or {}
    seconds = metrics.get("predict_time")
    return Prediction(
        id=answer.id,
        status=status,
        outputs=(output,) if isinstance(output, str) else tuple(output),
        error=capped(answer.error or ""),
        predict_seconds=float(seconds) if isinstance(seconds, int | float) else None,
        seed=inputs.get("seed"),
        prompts=tuple(str(inputs[name]) for name in ("prompt", "negative_prompt") if inputs.get(name)),
        tokens=_tokens(metrics),
    )


def gap_of(answer: Answer, before: float, asked: float) -> float:
    """Return how long the end went unnoticed: by the provider's own duration, at most the time between two polls."""
    metrics = answer.metrics or {}
    took = metrics.get("total_time", metrics.get("predict_time"))
    gap = asked - took if isinstance(took, int | float) else asked - before
    return min(max(gap, 0.0), asked - before)


def _tokens(metrics: dict[str, Any]) -> dict[str, int] | None:
    """Return token counts where the provider reports them; none are made up."""
    counts = {
        kind: metrics[f"{kind}_token_count"]
        for kind in ("input", "output")
        if isinstance(metrics.get(f"{kind}_token_count"), int)
    }
    return counts or None
