"""Drift, on objects as the API server returns them; that it does return them so is tried in tests/cluster."""

import copy
from typing import Any

import pytest
from t2i_operator.known import drift
from t2i_operator.reconciling.differences import Difference, differences, without

from tests.unit.operator.drifted import DESIRED, MAIN, fields, live


def test_defaults_normalising_and_foreign_fields_are_no_drift() -> None:
    assert drift.observed(live()) == drift.expected(DESIRED)
    assert differences(DESIRED, live()) == []


def test_a_field_that_another_took_is_drift_and_names_the_other() -> None:
    changed = live()
    changed["metadata"]["labels"]["app"] = "b"
    del fields(changed)["f:metadata"]
    fields(changed, 0)["f:metadata"]["f:labels"]["f:app"] = {}

    assert drift.observed(changed) != drift.expected(DESIRED)
    assert differences(DESIRED, changed) == [Difference("metadata.labels.app", "kubectl")]


def test_a_manager_that_both_applies_and_updates_is_still_named() -> None:
    changed = live()
    changed["metadata"]["labels"]["app"] = "b"
    del fields(changed)["f:metadata"]
    entries = changed["metadata"]["managedFields"]
    applied = {"f:metadata": {"f:labels": {"f:app": {}}}}
    entries.insert(0, {"manager": "kubectl", "operation": "Apply", "fieldsV1": applied})

    assert differences(DESIRED, changed) == [Difference("metadata.labels.app", "kubectl")]
    assert applied == {"f:metadata": {"f:labels": {"f:app": {}}}}, "the live object is left as it was"


def test_a_field_that_was_taken_away_is_drift() -> None:
    changed = live()
    del changed["metadata"]["labels"]["app"]
    del fields(changed)["f:metadata"]

    assert drift.observed(changed) != drift.expected(DESIRED)
    assert differences(DESIRED, changed) == [Difference("metadata.labels.app", "")]


def test_a_list_item_that_another_changed_is_named() -> None:
    changed = live()
    container = fields(changed)["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"main"}']
    del container["f:image"]
    theirs = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"main"}': {"f:image": {}}}}}}
    fields(changed, 0)["f:spec"] = theirs
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other"

    assert drift.observed(changed) != drift.expected(DESIRED)
    assert differences(DESIRED, changed) == [Difference("spec.template.spec.containers[main].image", "kubectl")]


@pytest.mark.parametrize(
    ("path", "name", "changes"),
    [
        (["f:image"], "image", {"image": "other"}),
        (["f:args"], "args", {"args": ["a", "b"]}),
        (["f:env", 'k:{"name":"EMPTY"}', "f:value"], "env[EMPTY].value", {"env": [{"name": "EMPTY", "value": "x"}]}),
        (["f:env", 'k:{"name":"EMPTY"}'], "env[EMPTY]", {"env": [{"name": "OTHER"}, {"name": "EMPTY", "value": "x"}]}),
        (["f:ports", 'k:{"containerPort":80,"protocol":"TCP"}'], "ports[80]", {"ports": []}),
        (["f:ports"], "ports", {"ports": [{"containerPort": 90}]}),
    ],
    ids=["field", "atomic list", "field of an item of an item", "named item", "item with two keys", "whole list"],
)
@pytest.mark.parametrize("agrees", [True, False], ids=["agrees", "differs"])
def test_whether_what_another_took_inside_a_list_agrees_is_seen(
    path: list[str], name: str, changes: dict[str, Any], *, agrees: bool
) -> None:
    changed = live()
    container = changed["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "OTHER"}, {"name": "EMPTY", "value": ""}]
    container |= {} if agrees else changes
    ours, theirs = fields(changed)["f:spec"]["f:template"]["f:spec"]["f:containers"][MAIN], dict[str, Any]()
    fields(changed, 0)["f:spec"] = {"f:template": {"f:spec": {"f:containers": {MAIN: theirs}}}}
    for part in path[:-1]:
        ours, theirs = ours[part], theirs.setdefault(part, {})
    theirs[path[-1]] = ours.pop(path[-1])
    ours["."] = {}  # or the list itself is not ours any more, which is another case

    where = f"spec.template.spec.containers[main].{name}"
    assert differences(DESIRED, changed) == [Difference(where, "kubectl", agrees=agrees)]


@pytest.mark.parametrize("theirs", [["a", "b"], ["b"]], ids=str)
def test_whether_a_plain_item_that_another_took_is_there_is_seen(theirs: list[str]) -> None:
    wanted = {"kind": "K", "metadata": {"finalizers": ["a"]}}
    took = {"manager": "kubectl", "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"a"': {}}}}}
    kept = {"manager": "text-to-image-operator", "fieldsV1": {"f:metadata": {"f:finalizers": {".": {}}}}}
    found = {"metadata": {"finalizers": theirs, "managedFields": [took, kept]}}
    expected = [Difference("metadata.finalizers[a]", "kubectl", agrees="a" in theirs)]
    assert differences(wanted, found) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "replicas"), 1),
        (("spec", "template", "spec", "containers", 0, "args"), ["a", "b"]),
        (("spec", "template", "spec", "containers", 0, "env", 0, "value"), "x"),
        (("spec", "template", "spec", "containers", 0, "resources", "requests", "cpu"), "1001m"),
        (("metadata", "labels", "new"), "x"),
    ],
)
def test_whatever_is_wanted_otherwise_shows(path: tuple[Any, ...], value: object) -> None:
    wanted = copy.deepcopy(DESIRED)
    place: Any = wanted
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value

    assert drift.expected(wanted) != drift.expected(DESIRED)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("0.5Gi", "512Mi"),
        (2, "2"),
        ("1e3", "1k"),
        ("2000000u", "2"),
        ("100M", "1e8"),
    ],
)
def test_quantities_have_one_spelling(one: object, other: object) -> None:
    def limits(value: object) -> dict[str, Any]:
        return {"metadata": {}, "spec": {"resources": {"limits": {"cpu": value}}}}

    assert drift.expected(limits(one)) == drift.expected(limits(other))
    assert drift.expected(limits(one)) != drift.expected(limits("3"))


def test_quantities_are_read_only_where_there_are_some() -> None:
    def variable(value: str) -> dict[str, Any]:
        return {"metadata": {}, "data": {"text": value}}

    assert drift.expected(variable("1000m")) != drift.expected(variable("1"))


def test_a_webhooks_change_to_our_own_apply_is_ours() -> None:
    changed = live()
    update = {"manager": "text-to-image-operator", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    changed["metadata"]["managedFields"].append(update)
    assert "f:paused" in drift.owned_fields(changed)["f:spec"]


def test_what_we_wrote_to_the_status_is_not_the_objects() -> None:
    changed = live()
    entry = {"manager": "text-to-image-operator", "subresource": "status", "fieldsV1": {"f:status": {"f:x": {}}}}
    changed["metadata"]["managedFields"].append(entry)
    assert drift.observed(changed) == drift.expected(DESIRED)


def test_what_is_left_to_others_is_left_out_with_its_empty_blocks() -> None:
    pod = "spec.template.spec"
    left = without(DESIRED, {"metadata.labels.app", f"{pod}.containers[main].env[EMPTY].value", f"{pod}.volumes[tmp]"})
    assert "labels" not in left["metadata"]
    template = left["spec"]["template"]["spec"]
    assert "volumes" not in template
    (container,) = template["containers"]
    assert container == {**DESIRED["spec"]["template"]["spec"]["containers"][0], "env": [{"name": "EMPTY"}]}
    assert left["spec"]["replicas"] == 0, "what is zero is no empty block"
    assert without(DESIRED, set()) == DESIRED


def test_items_without_a_name_are_told_apart() -> None:
    wanted = {"metadata": {}, "spec": {"ports": [{"containerPort": 80}, {"containerPort": 90}]}}
    assert without(wanted, {"spec.ports[80]"})["spec"] == {"ports": [{"containerPort": 90}]}
