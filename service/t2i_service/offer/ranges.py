"""What a number in a request may be: its own bounds and the model's, told in one vocabulary wherever they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from t2i_service.offer.api import GenerateRequest
from t2i_service.offer.models_config import MULTIPLE

if TYPE_CHECKING:
    from t2i_service.offer.models_config import Limits


def _bounds(rule: str) -> dict[str, Any]:
    """Return each field of a request that has this rule, `ge` or `le`, and its value."""
    fields = GenerateRequest.model_fields.items()
    return {name: getattr(item, rule) for name, field in fields for item in field.metadata if hasattr(item, rule)}


LEAST, MOST = _bounds("ge"), _bounds("le")
# Where the model says how much is the most.
LIMITED = {"width": "max_width", "height": "max_height", "num_outputs": "max_outputs", "steps": "max_steps"}


def ranges(limits: Limits) -> dict[str, dict[str, Any]]:
    """Return `minimum` and `maximum` of each number that a request may name, as JSON Schema spells them."""
    most = MOST | {field: getattr(limits, limit) for field, limit in LIMITED.items()}
    return {field: {"minimum": least, "maximum": most[field]} for field, least in LEAST.items()}


def out_of_range(field: str, allowed: dict[str, Any]) -> dict[str, object]:
    """Say of a number that it is too small or too large, and what it may be."""
    return {"field": field, "message": f"must be from {allowed['minimum']} to {allowed['maximum']}", "allowed": allowed}


def uneven(side: str, pixels: int, *, named: bool) -> dict[str, object]:
    """Say of a side that it is no multiple; of one that the request does not name, whose it is."""
    whose = "" if named else f", which the model's own {pixels} is not: name one that is"
    return {"field": side, "message": f"must be a multiple of {MULTIPLE}{whose}", "allowed": {"multipleOf": MULTIPLE}}
