"""The CRD's schema, walked: where its rules stand, and the smallest resource that reaches a field."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from t2i_operator.crd import crd

Schema = dict[str, Any]

ROOT: Schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
_STEP = re.compile(r"\[\]|\{\}|[^.\[{]+")


class Rule(NamedTuple):
    """Where a rule stands in the schema, its sentence, and whether it is about one value only."""

    at: str
    message: str
    scalar: bool


def rules(at: str = "", schema: Schema = ROOT) -> Iterator[Rule]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield Rule(at, rule["message"], scalar="properties" not in schema)
    for name, child in schema.get("properties", {}).items():
        yield from rules(f"{at}.{name}".lstrip("."), child)
    if "items" in schema:
        yield from rules(f"{at}[]", schema["items"])
    if "additionalProperties" in schema:
        yield from rules(f"{at}{{}}", schema["additionalProperties"])


def reaching(path: str, value: object, examples: Mapping[str, object]) -> Any:
    """Make the smallest resource that has the value at the path; `examples` spell values, by their rule's sentence."""
    return _reaching(ROOT, _STEP.findall(path), value, examples)


def _reaching(schema: Schema, steps: Sequence[str], value: object, examples: Mapping[str, object]) -> Any:
    match steps:
        case []:
            return value
        case ["[]", *rest]:
            return [_reaching(schema["items"], rest, value, examples)]
        case ["{}", *rest]:
            return {"key": _reaching(schema["additionalProperties"], rest, value, examples)}
        case [name, *rest]:
            return {**_smallest(schema, examples), name: _reaching(schema["properties"][name], rest, value, examples)}


def _smallest(schema: Schema, examples: Mapping[str, object]) -> Any:
    match schema:
        case {"properties": properties}:
            return {name: _smallest(properties[name], examples) for name in schema.get("required", ())}
        case {"items": items}:
            return [_smallest(items, examples)] if schema.get("minItems") else []
        case {"enum": [first, *_]}:
            return first
        case {"x-kubernetes-validations": [rule]}:
            return examples[rule["message"]]
        case {"type": "string"}:
            return "a"
        case _:
            return schema.get("minimum", 1)
