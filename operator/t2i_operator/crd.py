"""The CustomResourceDefinition, made from the types in `spec`: `python -m t2i_operator.crd` prints it.

With `--write` it goes to crds/, and its reference to docs/. The API server wants a structural schema: no $ref, a type
at every level. Defaults stay out of list items, where a GitOps tool would take them for a difference.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from msgspec import inspect

from t2i_operator import naming, spec
from t2i_operator.reference import reference

CRD_FILE = Path("crds") / f"{naming.GROUP}_{naming.PLURAL}.yaml"
REFERENCE_FILE = Path("docs/reference.md")
GENERATED = "# Generated from operator/t2i_operator/spec by `make generate`; do not edit.\n"

Schema = dict[str, Any]


def crd() -> Schema:
    """Give the whole CustomResourceDefinition as a plain object."""
    root = inspect.type_info(spec.TextToImageService)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{naming.PLURAL}.{naming.GROUP}"},
        "spec": {
            "group": naming.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": naming.RESOURCE_KIND,
                "listKind": f"{naming.RESOURCE_KIND}List",
                "plural": naming.PLURAL,
                "singular": naming.RESOURCE_KIND.lower(),
                "shortNames": ["t2i", "t2iservice", "t2iservices"],
            },
            "versions": [
                {
                    "name": naming.VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": _columns(),
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "schema": {"openAPIV3Schema": _root(_schema(root, in_list=False))},
                }
            ],
        },
    }


def _columns() -> list[Schema]:
    paths = {
        "Ready": '.status.conditions[?(@.type=="Ready")].status',
        "Monitored": '.status.conditions[?(@.type=="Monitored")].status',
        "Replicas": ".status.replicasSummary",
        "Model": ".spec.models[0].name",
        "Endpoint": ".status.endpoint",
        "Reason": '.status.conditions[?(@.type=="Ready")].reason',
    }
    columns = [{"name": name, "type": "string", "jsonPath": path} for name, path in paths.items()]
    return [*columns, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def _root(schema: Schema) -> Schema:
    """Leave metadata to the API server, which allows no schema of ours for it but names."""
    properties = schema["properties"]
    del properties["metadata"]
    described = {
        "apiVersion": {"type": "string", "description": f"Always {naming.GROUP}/{naming.VERSION}."},
        "kind": {"type": "string", "description": f"Always {naming.RESOURCE_KIND}."},
        "metadata": {"type": "object"},
    }
    return {**schema, "properties": {**described, **properties}, "required": ["spec"]}


def _schema(kind: inspect.Type, *, in_list: bool) -> Schema:
    match kind:
        case inspect.Metadata(type=inner):
            return {**_schema(inner, in_list=in_list), **(kind.extra_json_schema or {})}
        case inspect.UnionType(types=types):
            return _union([part for part in types if not isinstance(part, inspect.NoneType)], in_list=in_list)
        case inspect.StructType():
            return _object(kind, in_list=in_list)
        case inspect.VarTupleType():
            return _list(kind)
        case inspect.DictType():
            return _map(kind)
        case _:
            return _scalar(kind)


def _list(kind: inspect.VarTupleType) -> Schema:
    limits = _given({"minItems": kind.min_length, "maxItems": kind.max_length})
    items = _schema(kind.item_type, in_list=True)
    return {"type": "array", **limits, "x-kubernetes-list-type": "atomic", "items": items}


def _map(kind: inspect.DictType) -> Schema:
    if isinstance(kind.value_type, inspect.AnyType):
        return {"type": "object"}
    values = _schema(kind.value_type, in_list=True)
    return {"type": "object", **_given({"maxProperties": kind.max_length}), "additionalProperties": values}


def _scalar(kind: inspect.Type) -> Schema:
    match kind:
        case inspect.StrType():
            return {"type": "string", **_given({"minLength": kind.min_length, "maxLength": kind.max_length})}
        case inspect.IntType():
            return {"type": "integer", "format": "int32", **_given({"minimum": kind.ge, "maximum": kind.le})}
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
    raise TypeError(f"no schema for {kind}")


def _union(types: list[inspect.Type], *, in_list: bool) -> Schema:
    """Write the only union that Kubernetes knows, a number or a string, or the one type that may be left out.

    None of those numbers is negative.
    """
    if len(types) == 1:
        return _schema(types[0], in_list=in_list)
    parts = {schema["type"]: schema for schema in (_schema(part, in_list=in_list) for part in types)}
    text, least = parts["string"], parts["integer"].get("minimum", 0)
    [spelling] = text["x-kubernetes-validations"]
    return {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "maxLength": text["maxLength"],
        "x-kubernetes-validations": [{**spelling, "rule": f"type(self) == int ? self >= {least} : {spelling['rule']}"}],
    }


def _object(kind: inspect.StructType, *, in_list: bool) -> Schema:
    properties = {}
    for field in kind.fields:
        properties[field.encode_name] = _schema(field.type, in_list=in_list)
        if not in_list and isinstance(field.default, str | int):
            properties[field.encode_name]["default"] = field.default
    schema: Schema = {"type": "object", "description": _first_paragraph(kind.cls), "properties": properties}
    if required := [field.encode_name for field in kind.fields if field.required]:
        schema["required"] = required
    if rules := getattr(kind.cls, "rules", ()):
        schema["x-kubernetes-validations"] = [{"rule": rule.cel, "message": rule.message} for rule in rules]
    return schema


def _first_paragraph(cls: type) -> str:
    return " ".join((cls.__doc__ or "").split("\n\n")[0].split())


def _given(limits: Schema) -> Schema:
    return {name: limit for name, limit in limits.items() if limit is not None}


def text() -> str:
    """Give the CRD as it stands in crds/."""
    return GENERATED + yaml.safe_dump(crd(), sort_keys=False, width=120, allow_unicode=True)


def main() -> None:
    """Print the CRD, or write it and its reference below the current folder."""
    parser = argparse.ArgumentParser(prog="python -m t2i_operator.crd", description=main.__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {CRD_FILE} and {REFERENCE_FILE}")
    if parser.parse_args().write:
        CRD_FILE.write_text(text())
        REFERENCE_FILE.write_text(reference(crd()))
    else:
        sys.stdout.write(text())


if __name__ == "__main__":
    main()
