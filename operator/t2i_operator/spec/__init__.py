"""The custom resource as types: the one source of the CRD, of its reference in docs/ and of what the operator reads.

    resource = spec.parse(body)            # or raises spec.InvalidSpec, whose .problems are sentences with field paths
    resource.metadata.name, .namespace, .uid, .generation
    resource.spec.models[0].timeout_seconds, resource.spec.monitoring.tracing.mode, ...

- The tree is frozen. Attributes are snake_case, the wire is camelCase; `for_` is `for`, likewise `except_` and `from_`.
- Blocks that do something by being there are `None` when absent: autoscaling, credentials, ingress, http_route, a
  budget, a model's price, limits, defaults and sandbox. All others are there, filled with defaults; `mode` rules them.
- Decimals ("0.975"), durations ("1m30s") and quantities (int or "512Mi") stay as the user spelled them;
  `spec.seconds`, `decimal.Decimal` and `spec.amount` read them.
- `spec.to_wire(block)` gives the plain JSON object back in the resource's own spelling, without what was left out.
"""

from typing import Any

import msgspec

from t2i_operator.spec.parsing import InvalidSpec, parse
from t2i_operator.spec.quantities import QUANTITIES, QUANTITY, amount
from t2i_operator.spec.root import Spec, TextToImageService
from t2i_operator.spec.scalars import seconds

__all__ = [
    "QUANTITIES",
    "QUANTITY",
    "InvalidSpec",
    "Spec",
    "TextToImageService",
    "amount",
    "parse",
    "seconds",
    "to_wire",
]


def to_wire(block: msgspec.Struct) -> dict[str, Any]:
    """Give a block back as the plain object that the user wrote; models.json is made of this."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(block))
    return plain
