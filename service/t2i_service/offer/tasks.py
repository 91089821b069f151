"""A request's inputs once every choice is made: the model, its defaults, the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from t2i_service.errors import InvalidInputError, UnknownModelError
from t2i_service.offer.ranges import LEAST, LIMITED, out_of_range, ranges, uneven

if TYPE_CHECKING:
    from t2i_service.offer.api import GenerateRequest
    from t2i_service.offer.models import Models
    from t2i_service.offer.models_config import Model

MAX_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Task:
    """What a provider is asked for; nothing in it is left to choose."""

    model: Model
    prompt: str
    negative_prompt: str
    width: int
    height: int
    num_outputs: int
    seed: int
    steps: int
    guidance_scale: float
    scheduler: str


def resolve(request: GenerateRequest, models: Models) -> Task:
    """Raise `UnknownModelError`, or `InvalidInputError` naming every field outside the chosen model's limits."""
    if request.model:
        model = models.get(request.model)
    else:
        model = models.pick(lambda model: not _outside(_task(request, model), request))
    if model is None:
        raise UnknownModelError(models.names)
    task = _task(request, model)
    if errors := _outside(task, request):
        raise InvalidInputError(errors)
    return task


def _task(request: GenerateRequest, model: Model) -> Task:
    limits, defaults = model.limits, model.defaults
    return Task(
        model=model,
        prompt=request.prompt,
        negative_prompt=defaults.negative_prompt if request.negative_prompt is None else request.negative_prompt,
        width=request.width or min(defaults.width, limits.max_width),
        height=request.height or min(defaults.height, limits.max_height),
        num_outputs=request.num_outputs,
        seed=random.getrandbits(32) if request.seed is None else request.seed,
        steps=request.steps or min(defaults.steps, limits.max_steps),
        guidance_scale=request.guidance_scale or defaults.guidance_scale,
        scheduler=defaults.scheduler,
    )


def _outside(task: Task, request: GenerateRequest) -> list[dict[str, object]]:
    limits = task.model.limits
    errors = [
        out_of_range(field, ranges(limits)[field])
        for field, limit in LIMITED.items()
        if not LEAST[field] <= getattr(task, field) <= getattr(limits, limit)
    ]
    wrong = {error["field"] for error in errors}
    errors += [
        uneven(side, getattr(task, side), named=getattr(request, side) is not None)
        for side in task.model.uneven_sides(task.width, task.height)
        if side not in wrong
    ]
    most = limits.max_prompt_characters
    for field, text in (("prompt", task.prompt), ("negative_prompt", task.negative_prompt)):
        if len(text) > most:
            message = f"must be at most {most} characters long, not {len(text)}"
            errors.append({"field": field, "message": message, "allowed": {"max_length": most}})
    return errors
