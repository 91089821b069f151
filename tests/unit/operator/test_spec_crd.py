"""What holds for the whole CRD: it is what is committed, it is small, and every field keeps the conventions."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from t2i_operator.crd import CRD_FILE, REFERENCE_FILE, crd, text
from t2i_operator.reference import reference

Schema = dict[str, Any]
SENTENCE = re.compile(r"[A-Z0-9].*\.", re.DOTALL)
MATCHES = re.compile(r"self\.matches\(r'(.*)'\)")
CHECKOUT = Path(__file__).parents[3]
VERSION = crd()["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]


class Field(NamedTuple):
    """One field, and whether it stands inside a list."""

    path: str
    schema: Schema
    in_list: bool


def fields(path: str, schema: Schema, *, in_list: bool = False) -> Iterator[Field]:
    for name, child in schema.get("properties", {}).items():
        yield Field(f"{path}.{name}", child, in_list)
        yield from fields(f"{path}.{name}", child, in_list=in_list)
    for kind, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if kind in schema:
            yield Field(f"{path}{mark}", schema[kind], in_list=True)
            yield from fields(f"{path}{mark}", schema[kind], in_list=True)


SPEC = list(fields("spec", ROOT["properties"]["spec"]))
STATUS = list(fields("status", ROOT["properties"]["status"]))


def test_the_committed_crd_is_what_the_types_say() -> None:
    assert (CHECKOUT / CRD_FILE).read_text() == text(), "run `make generate`"


def test_the_committed_reference_is_what_the_types_say() -> None:
    assert (CHECKOUT / REFERENCE_FILE).read_text() == reference(crd()), "run `make generate`"


def test_the_crd_is_small_enough_for_client_side_apply() -> None:
    assert (CHECKOUT / CRD_FILE).stat().st_size < 200 * 1024


def test_a_sentence_describes_every_field() -> None:
    named = [field for field in SPEC + STATUS if not field.path.endswith(("[]", "{}")) or "properties" in field.schema]

    assert [field.path for field in named if not SENTENCE.fullmatch(field.schema.get("description", ""))] == []


def test_the_schema_is_structural() -> None:
    assert [field.path for field in SPEC + STATUS if not _structural(field.schema)] == []


def _structural(schema: Schema) -> bool:
    typed = ("type" in schema) != ("x-kubernetes-int-or-string" in schema)
    return typed and not {"$ref", "oneOf", "allOf", "not"} & schema.keys()


def test_no_field_is_a_float() -> None:
    assert [field.path for field in SPEC + STATUS if field.schema.get("type") == "number"] == []


def test_every_size_is_bounded() -> None:
    assert [field.path for field in SPEC if not _bounded(field.schema)] == []


def _bounded(schema: Schema) -> bool:
    match schema.get("type"):
        case "string":
            return "maxLength" in schema or "enum" in schema
        case "array":
            return "maxItems" in schema and "x-kubernetes-list-type" in schema
        case _:
            return "additionalProperties" not in schema or "maxProperties" in schema


def test_list_items_have_no_defaults() -> None:
    assert [field.path for field in SPEC if field.in_list and "default" in field.schema] == []
    assert any(not field.in_list and "default" in field.schema for field in SPEC)


def test_no_field_answers_with_a_bare_pattern() -> None:
    assert [field.path for field in SPEC if "pattern" in field.schema] == []


def test_spellings_hold_the_whole_value() -> None:
    patterns = {
        field.path: found[1] for field in SPEC for rule in _rules(field.schema) if (found := MATCHES.search(rule))
    }

    assert patterns
    assert [path for path, pattern in patterns.items() if not (pattern[0] == "^" and pattern[-1] == "$")] == []


SPELLINGS: list[dict[str, Any]] = yaml.safe_load((CHECKOUT / "tests/cluster/crd_spellings.yaml").read_text())
NUMBER = re.compile(r"type\(self\) == int \? self >= (\d+) :")


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling["says"])
def test_spellings_take_and_refuse_what_the_cluster_s_tests_try(spelling: dict[str, Any]) -> None:
    """As the API server will, whose regular expressions and Python's are alike in what is used here."""
    rules = {
        rule["rule"]
        for field in SPEC
        for rule in field.schema.get("x-kubernetes-validations", ())
        if "properties" not in field.schema and rule["message"].startswith(spelling["says"])
    }
    assert rules
    for rule in rules:
        assert [value for value in spelling["passes"] if not _takes(rule, value)] == []
        assert [value for value in spelling["refused"] if _takes(rule, value)] == []


def _takes(rule: str, value: str | int) -> bool:
    if isinstance(value, int):
        found = NUMBER.search(rule)
        return found is not None and value >= int(found[1])
    pattern = MATCHES.search(rule)
    assert pattern, rule
    return re.search(pattern[1], value) is not None


def _rules(schema: Schema) -> list[str]:
    return [rule["rule"] for rule in schema.get("x-kubernetes-validations", ())]


def test_lists_that_are_told_apart_by_name_merge_by_name() -> None:
    merging = {field.path: field.schema["x-kubernetes-list-map-keys"] for field in SPEC if _merges(field)}

    assert merging == {
        "spec.models": ["name"],
        "spec.monitoring.alerts.burnRates": ["name"],
        "spec.monitoring.alerts.receivers": ["name"],
    }


def _merges(field: Field) -> bool:
    return field.schema.get("x-kubernetes-list-type") == "map"


def test_every_rule_says_what_to_write_in_a_sentence_of_its_own() -> None:
    schemas = [ROOT, ROOT["properties"]["spec"], *(field.schema for field in SPEC)]
    rules = [rule for schema in schemas for rule in schema.get("x-kubernetes-validations", ())]

    assert rules
    assert [rule["message"] for rule in rules if not 20 <= len(rule["message"]) <= 250] == []


def test_the_design_of_spec_is_complete() -> None:
    assert list(ROOT["properties"]["spec"]["properties"]) == [
        *("className", "paused", "image", "imagePullPolicy", "replicas", "autoscaling", "models", "credentials"),
        *("access", "admission", "publicURL", "service", "ingress", "httpRoute", "serviceAccount"),
        *("podDisruptionBudget", "networkPolicy", "podTemplate", "logging", "monitoring"),
    ]


def test_columns_tell_the_state_at_a_glance() -> None:
    assert [column["name"] for column in VERSION["additionalPrinterColumns"]] == [
        *("Ready", "Monitored", "Replicas", "Model", "Endpoint", "Reason", "Age")
    ]


def test_one_command_prints_and_writes_what_is_generated(tmp_path: Path) -> None:
    for folder in ("crds", "docs"):
        (tmp_path / folder).mkdir()
    command = [sys.executable, "-m", "t2i_operator.crd"]

    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    subprocess.run([*command, "--write"], check=True, cwd=tmp_path)  # noqa: S603

    assert printed == text()
    assert (tmp_path / CRD_FILE).read_text() == text()
    assert (tmp_path / REFERENCE_FILE).read_text() == reference(crd())
