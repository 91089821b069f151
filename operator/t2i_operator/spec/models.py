"""The models that the service offers.

What a list item leaves out is filled in by the service, not by the CRD: a GitOps tool would take it for a difference.
"""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from t2i_operator.spec.scalars import Currency, Decimal, DurationOrZero, Fraction
from t2i_operator.spec.schema import Block, Rule, described, spelled

Side = Annotated[int, Meta(ge=64, le=4096)]
Steps = Annotated[int, Meta(ge=1, le=500)]


class Price(Block, frozen=True, kw_only=True):
    """What the provider charges; the service multiplies and reports it per request."""

    rules: ClassVar = (
        Rule(
            "has(self.perSecond) != has(self.perImage)",
            "price needs exactly one of perSecond (the hardware's price a second) and perImage",
        ),
    )

    per_second: Annotated[
        Decimal | None, described('Price of one second of prediction time, as `"0.000975"` for Replicate\'s L40S.')
    ] = None
    per_image: Annotated[Decimal | None, described("Price of one image, for models that are billed by image.")] = None
    currency: Annotated[Currency | None, described("ISO 4217 code of the price's currency. Left out: USD.")] = None


class Limits(Block, frozen=True, kw_only=True):
    """The most that one request may ask of the model; more is answered 422 with the allowed range."""

    max_width: Annotated[Side | None, described("Largest width in pixels. Left out: 2048.")] = None
    max_height: Annotated[Side | None, described("Largest height in pixels. Left out: 2048.")] = None
    max_outputs: Annotated[
        Annotated[int, Meta(ge=1, le=10)] | None, described("Most images a request. Left out: 4.")
    ] = None
    max_steps: Annotated[Steps | None, described("Most inference steps. Left out: 500.")] = None
    max_prompt_characters: Annotated[
        Annotated[int, Meta(ge=1, le=100000)] | None, described("Longest prompt in characters. Left out: 2000.")
    ] = None


class ModelDefaults(Block, frozen=True, kw_only=True):
    """What a request gets that does not say otherwise."""

    width: Annotated[Side | None, described("Width in pixels, on Replicate a multiple of 8. Left out: 1024.")] = None
    height: Annotated[Side | None, described("Height in pixels, on Replicate a multiple of 8. Left out: 1024.")] = None
    steps: Annotated[Steps | None, described("Inference steps. Left out: 50.")] = None
    guidance_scale: Annotated[
        Decimal | None, described('How closely the picture follows the prompt, as `"7.5"`. Left out: 7.5.')
    ] = None
    negative_prompt: Annotated[
        Annotated[str, Meta(max_length=4000)] | None,
        described("What the picture should not show. Left out: no such prompt."),
    ] = None
    scheduler: Annotated[
        Annotated[str, spelled("^[A-Za-z0-9_+ -]+$", "use letters, digits, spaces, -, + and _", longest=63)] | None,
        described("Name of the model's scheduler, as `K_EULER`. Left out: K_EULER."),
    ] = None


class Sandbox(Block, frozen=True, kw_only=True):
    """How the sandbox behaves. The running service re-reads this block: a drill changes it without a rollout."""

    latency: Annotated[
        DurationOrZero | None, described("How long a picture takes, as `2s500ms`. Left out: as fast as it draws.")
    ] = None
    failure_rate: Annotated[
        Fraction | None, described('Share of generations that fail, from "0" to "1". Left out: none.')
    ] = None


def _default_within_limit(default: str, limit: str, *, default_unsaid: int, limit_unsaid: int) -> Rule:
    return Rule(
        f"(has(self.defaults) && has(self.defaults.{default}) ? self.defaults.{default} : {default_unsaid})"
        f" <= (has(self.limits) && has(self.limits.{limit}) ? self.limits.{limit} : {limit_unsaid})",
        f"defaults.{default} ({default_unsaid} when left out) exceeds limits.{limit} ({limit_unsaid} when left out);"
        " raise the limit or lower the default",
    )


class Model(Block, frozen=True, kw_only=True):
    """One model, asked for by its name or picked by its weight."""

    rules: ClassVar = (
        Rule(
            "self.provider != 'Replicate' || has(self.version)",
            "a Replicate model needs version: the 64 hexadecimal digits of the model's version, or owner/name:digits",
        ),
        Rule(
            "self.provider == 'Sandbox' || !has(self.sandbox)",
            "sandbox settings need provider: Sandbox; remove the sandbox block, or change the provider",
        ),
        Rule(
            "self.provider == 'Sandbox' || !has(self.defaults) || ("
            "(!has(self.defaults.width) || self.defaults.width % 8 == 0) && "
            "(!has(self.defaults.height) || self.defaults.height % 8 == 0))",
            "a Replicate model draws sides that are multiples of 8; change defaults.width or defaults.height to one",
        ),
        _default_within_limit("width", "maxWidth", default_unsaid=1024, limit_unsaid=2048),
        _default_within_limit("height", "maxHeight", default_unsaid=1024, limit_unsaid=2048),
        _default_within_limit("steps", "maxSteps", default_unsaid=50, limit_unsaid=500),
    )

    name: Annotated[
        str,
        spelled(
            "^[a-z0-9]([-._a-z0-9]*[a-z0-9])?$",
            "use lower-case letters, digits, -, _ and .; begin and end with a letter or digit",
            longest=63,
        ),
        described("What requests, metrics and dashboards call the model."),
    ]
    provider: Annotated[
        Literal["Replicate", "Sandbox"],
        described(
            "Who makes the pictures: Replicate's API, or Sandbox, which draws on the pod's CPU and needs no token."
        ),
    ]
    version: Annotated[
        Annotated[
            str,
            spelled(
                "^([a-z0-9][-._a-z0-9]*/[a-z0-9][-._a-z0-9]*:)?[a-f0-9]{64}$",
                "write the 64 hexadecimal digits of the version, or owner/name:digits",
                longest=320,
            ),
        ]
        | None,
        described("The provider's version of the model: 64 hexadecimal digits, or `owner/name:digits`."),
    ] = None
    weight: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        described("Share of the requests that name no model. 0: only by name. Left out: 1."),
    ] = None
    timeout_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=1800)] | None,
        described("Longest time one generation may take; a pod being stopped waits that long. Left out: 120."),
    ] = None
    price: Annotated[Price | None, described("What a generation costs. Left out: no cost is reported.")] = None
    limits: Annotated[Limits | None, described("The most that one request may ask of the model.")] = None
    defaults: Annotated[ModelDefaults | None, described("What a request gets that does not say otherwise.")] = None
    sandbox: Annotated[Sandbox | None, described("How a Sandbox model behaves: latency and failures on purpose.")] = (
        None
    )
