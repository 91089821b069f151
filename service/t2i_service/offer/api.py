"""The shapes that travel over HTTP; the field names are the API and stay."""

from itertools import islice
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

# More than any request of this API has; what is beyond is unknown and read no further.
MOST_FIELDS = 64

Prompt = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# Pydantic refuses half a surrogate pair, which no provider can be sent, in a constrained string alone.
Text = Annotated[str, StringConstraints(strip_whitespace=True)]


class Sent(BaseModel):
    """What a caller sends: a field that is not known is refused, never ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_so_far(cls, sent: object) -> object:
        """Pass on `MOST_FIELDS`, the known ones first: pydantic and FastAPI make errors, slowly, of all the others."""
        if isinstance(sent, dict) and len(sent) > MOST_FIELDS:
            known = {name: sent[name] for name in cls.model_fields if name in sent}
            unknown = (name for name in sent if name not in known)
            return known | {name: sent[name] for name in islice(unknown, MOST_FIELDS - len(known))}
        return sent


class GenerateRequest(Sent):
    """What to draw. Only the prompt is needed; the model's own defaults and limits apply to the rest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "a lighthouse at dusk", "seed": 7}]})

    prompt: Prompt = Field(description="what the picture shows")
    negative_prompt: Text | None = Field(default=None, description="what it must not show")
    width: int | None = Field(
        default=None, ge=64, description="in pixels; the model's limit applies, and Replicate draws multiples of 8"
    )
    height: int | None = Field(
        default=None, ge=64, description="in pixels; the model's limit applies, and Replicate draws multiples of 8"
    )
    num_outputs: int = Field(default=1, ge=1, description="how many pictures; a model's safety check may drop some")
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1, description="the same seed draws the same picture again")
    steps: int | None = Field(default=None, ge=1, description="denoising steps")
    guidance_scale: float | None = Field(default=None, ge=1, le=50, description="how closely to follow the prompt")
    model: str | None = Field(default=None, description="a name from /info; chosen by weight when absent")
    response_format: Literal["b64_json", "url"] = Field(
        default="b64_json", description="the pictures, or links to them"
    )


class ImageResult(BaseModel):
    """One picture, in the answer itself or behind a link that expires."""

    b64_json: str | None = None
    url: str | None = None
    content_type: str | None = None
    width: int | None = None
    height: int | None = None


class Timings(BaseModel):
    """Where the time went, in seconds; `predict` is the provider's own figure, null when it gives none."""

    predict: float | None
    queue: float | None = None
    poll_gap: float | None = None
    fetch: float | None = None
    total: float | None = None


class CostResult(BaseModel):
    """What the provider charges for this generation."""

    amount: float
    currency: str


class GenerationError(BaseModel):
    """Why a generation gave no images."""

    code: str
    detail: str


class GenerationResult(BaseModel):
    """A generation, finished or under way."""

    id: str
    request_id: str
    trace_id: str | None
    trace_sampled: bool | None = Field(default=None, description="whether the trace can be looked up; null: not known")
    status: Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]
    model: str
    provider: Literal["replicate", "sandbox"]
    sandbox: bool
    seed: int | None
    num_outputs: int = Field(description="how many pictures were asked for")
    images: list[ImageResult] = Field(description="fewer where the model's safety check has refused some")
    timings: Timings
    cost: CostResult | None
    error: GenerationError | None = None


class FieldError(BaseModel):
    """One wrong field of a request and what is allowed there."""

    field: str
    message: str
    allowed: dict[str, object] | None = None


class Problem(BaseModel):
    """An RFC 9457 problem document; `code` is stable, `request_id` finds the log line and the trace."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None
