"""The reference of the custom resource in docs/, made from the CRD so that it says what the API server holds to."""

import json
import re
from collections.abc import Iterator
from typing import Any, get_args

from t2i_operator.spec import scalars

Schema = dict[str, Any]

HEAD = """\
<!-- Generated from operator/t2i_operator/spec by `make generate`; do not edit. -->
# TextToImageService, `texttoimage.dev/v1alpha1`

For whoever writes a TextToImageService; [manifests/samples/](../manifests/samples/) has whole ones to copy from.

Short names `t2i`, `t2iservice`, `t2iservices`. Every field below is also shown by `kubectl explain t2i.spec`.
`[]` marks the items of a list; fields in **bold** are required where their block is given.

| type | how it is written |
|---|---|
| decimal | a string, as `"0.000975"`, because a float does not survive YAML, JSON and Go unchanged |
| fraction | a decimal from `"0"` to `"1"` |
| duration | whole numbers with `h`, `m`, `s`, `ms`, largest first, as `1m30s` |
| quantity | an integer or a string, as `500m` or `10Gi` |
| name | lower-case letters, digits and `-`, as Kubernetes' labels and namespaces |
| object name | as `name`, and may have dots |
| label value | letters, digits, `-`, `_` and `.` |
"""

ANCHOR = re.compile(r"[^a-zA-Z]")
TABLE = "| field | type | default | what it is |\n|---|---|---|---|\n"
NAMED = {
    get_args(annotation)[1].extra_json_schema["x-kubernetes-validations"][0]["message"]: name
    for name, annotation in {
        "decimal": scalars.Decimal,
        "fraction": scalars.Fraction,
        "duration": scalars.Duration,
        "duration or `0s`": scalars.DurationOrZero,
        "quantity": get_args(scalars.Quantity)[1],
        "quantity above 0": get_args(scalars.PositiveQuantity)[1],
        "integer or percentage": scalars.Percentage,
        "URL": scalars.URL,
        "URL without ? and #": scalars.BaseURL,
        "name": scalars.Label,
        "object name": scalars.Subdomain,
        "label value": scalars.LabelValue,
    }.items()
}


def reference(crd: Schema) -> str:
    """Tell every field: type, default, limits, meaning; and below each block the rules across its fields."""
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    sections = [HEAD, _rules(root).lstrip()]
    for part in ("spec", "status"):
        sections += (_section(path, schema) for path, schema in _blocks(part, root["properties"][part]))
    return "\n".join(sections).rstrip() + "\n"


def _blocks(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Walk the objects that have fields of their own, parents first."""
    if "properties" in schema:
        yield path, schema
        for name, child in schema["properties"].items():
            yield from _blocks(f"{path}.{name}", child)
    elif "items" in schema:
        yield from _blocks(f"{path}[]", schema["items"])


def _section(path: str, schema: Schema) -> str:
    required = schema.get("required", [])
    fields = schema["properties"].items()
    rows = "".join(_row(f"{path}.{name}", field, required=name in required) for name, field in fields)
    return f"## {path}\n\n{schema['description']}\n\n{TABLE}{rows}{_rules(schema)}"


def _row(path: str, field: Schema, *, required: bool) -> str:
    name = path.rpartition(".")[2]
    shown = f"**{name}**" if required else name
    default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
    return f"| {shown} | {_type(path, field)} | {default} | {_cell(field['description'])} |\n"


def _type(path: str, field: Schema) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "items" in field:
        return f"list of {_type(path + '[]', field['items'])}{_bounds(field, 'minItems', 'maxItems')}"
    if "additionalProperties" in field:
        return f"map of {_type(path, field['additionalProperties'])}"
    if "properties" in field:
        return f"[object](#{ANCHOR.sub('', path).lower()})"
    if rules := field.get("x-kubernetes-validations"):
        return NAMED.get(rules[0]["message"], f"string: {_cell(rules[0]['message'])}")
    return f"{field['type']}{_bounds(field, 'minimum', 'maximum')}"


def _bounds(field: Schema, low: str, high: str) -> str:
    least, most = field.get(low), field.get(high)
    if most is None:
        return "" if least is None else f", {least} or more"
    return f", at most {most}" if least is None else f", {least} to {most}"


def _rules(schema: Schema) -> str:
    messages = [f"- {_cell(rule['message'])}\n" for rule in schema.get("x-kubernetes-validations", [])]
    return "\nRefused otherwise:\n\n" + "".join(messages) if messages else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
