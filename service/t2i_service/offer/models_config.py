"""The models of the custom resource as the operator hands them over, in the custom resource's own spelling.

Decimal strings and durations stay what they are in `spec.models`: what a person reads there is what is read here.
Fields this version does not know are ignored, so that a newer operator can run an older image.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

SDXL = "stability-ai/sdxl:39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
# Stable Diffusion halves the sides of a picture three times: diffusers refuses others once the prediction runs.
MULTIPLE = 8

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")


def seconds_of(duration: str | float) -> float:
    """Turn a duration as Kubernetes writes it (`1m30s`, `250ms`) into seconds."""
    if isinstance(duration, int | float):
        return float(duration)
    if not _DURATION.fullmatch(duration):
        raise ValueError(f"{duration!r} is not a duration like 30s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(duration))


Seconds = Annotated[float, BeforeValidator(seconds_of), Field(ge=0)]


class ModelsError(Exception):
    """The models file cannot be used; the message says where and why."""


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Price(_Wire):
    """What the provider charges: for a second of prediction or for an image, never both."""

    per_second: Decimal | None = Field(default=None, ge=0)
    per_image: Decimal | None = Field(default=None, ge=0)
    currency: str = "USD"


class Limits(_Wire):
    """The most a request may ask for; the defaults are what SDXL's own schema allows."""

    max_width: int = Field(default=2048, ge=64)
    max_height: int = Field(default=2048, ge=64)
    max_outputs: int = Field(default=4, ge=1)
    max_steps: int = Field(default=500, ge=1)
    max_prompt_characters: int = Field(default=2000, ge=1)


def widest(of: Iterable[Limits]) -> Limits:
    """Return, field by field, the most that any of them allows."""
    several = [limits.model_dump() for limits in of]
    return Limits(**{field: max(limits[field] for limits in several) for field in Limits.model_fields})


class Defaults(_Wire):
    """What a request gets that does not say; the defaults are SDXL's."""

    width: int = 1024
    height: int = 1024
    steps: int = 50
    guidance_scale: float = 7.5
    negative_prompt: str = ""
    scheduler: str = "K_EULER"


class SandboxKnobs(_Wire):
    """How slow and how unreliable the sandbox pretends to be; re-read while running, for drills."""

    latency: Seconds = 0.0
    failure_rate: float = Field(default=0.0, ge=0, le=1)


class Model(_Wire):
    """One item of `spec.models`."""

    name: str
    provider: Literal["Replicate", "Sandbox"]
    version: str = SDXL
    weight: int = Field(default=1, ge=0)
    timeout_seconds: float = Field(default=120.0, gt=0)
    price: Price | None = None
    limits: Limits = Limits()
    defaults: Defaults = Defaults()
    sandbox: SandboxKnobs = SandboxKnobs()

    def uneven_sides(self, width: int, height: int) -> list[str]:
        """Return the sides that it cannot draw; on Replicate it would fail, and be paid for. The sandbox draws any."""
        sides = {"width": width, "height": height}
        return [side for side, pixels in sides.items() if self.provider == "Replicate" and pixels % MULTIPLE]


class ModelsFile(_Wire):
    """The whole of `models.json`."""

    models: tuple[Model, ...] = Field(min_length=1, max_length=32)

    @model_validator(mode="after")
    def _names_differ_and_one_is_chosen(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) != len(names):
            raise ValueError("two models have the same name")
        if not any(model.weight for model in self.models):
            raise ValueError("every weight is 0, so no model would answer a request that names none")
        return self


def default_models() -> tuple[Model, ...]:
    """Return what runs when no file is configured: the guide's SDXL, which needs REPLICATE_API_TOKEN."""
    return (Model(name="sdxl", provider="Replicate"),)


def read(path: Path) -> tuple[Model, ...]:
    """Raise `ModelsError` with every mistake in the file."""
    try:
        return ModelsFile.model_validate_json(path.read_bytes()).models
    except OSError as error:
        raise ModelsError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        mistakes = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False))
        raise ModelsError(f"{path} is wrong: {'; '.join(mistakes)}.") from None
