"""Strategic merge, as `kubectl patch` does it to what is stored."""

import copy
from typing import Any

import pytest
from t2i_operator.builders.strategic import InvalidPatchError, merge

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {
        "terminationGracePeriodSeconds": 30,
        "containers": [
            {
                "name": "main",
                "image": "a",
                "args": ["1", "2"],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "x"}}},
                ],
                "ports": [{"containerPort": 8000, "name": "http"}],
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                "readinessProbe": {"httpGet": {"path": "/ready"}},
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
        "tolerations": [{"key": "a"}],
    },
}


def container(**fields: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", **fields}]}}


def main(patch: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = merge(TEMPLATE, patch)["spec"]["containers"][0]
    return found


def test_neither_argument_is_changed() -> None:
    before, patch = copy.deepcopy(TEMPLATE), container(env=[{"name": "A", "$patch": "delete"}], image=None)
    kept = copy.deepcopy(patch)
    merge(TEMPLATE, patch)
    assert (before, kept) == (TEMPLATE, patch)


def test_maps_are_merged_and_null_takes_away() -> None:
    merged = merge(TEMPLATE, {"metadata": {"labels": {"app": None, "team": "y"}}, "spec": {"hostNetwork": True}})
    assert merged["metadata"]["labels"] == {"team": "y"}
    assert merged["spec"]["hostNetwork"] is True
    assert merged["spec"]["terminationGracePeriodSeconds"] == 30


def test_lists_with_a_key_are_merged_in_place_and_extended() -> None:
    merged = merge(
        TEMPLATE, {"spec": {"containers": [{"name": "beside", "image": "b"}, {"name": "main", "image": "c"}]}}
    )
    assert [(each["name"], each["image"]) for each in merged["spec"]["containers"]] == [("main", "c"), ("beside", "b")]
    assert main(container(env=[{"name": "C", "value": "3"}, {"name": "A", "value": "2"}]))["env"] == [
        {"name": "A", "value": "2"},
        TEMPLATE["spec"]["containers"][0]["env"][1],
        {"name": "C", "value": "3"},
    ]
    assert len(main(container(volumeMounts=[{"name": "x", "mountPath": "/x"}]))["volumeMounts"]) == 2


def test_lists_without_a_key_are_replaced() -> None:
    assert main(container(args=["3"]))["args"] == ["3"]
    assert merge(TEMPLATE, {"spec": {"tolerations": [{"key": "b"}]}})["spec"]["tolerations"] == [{"key": "b"}]


def test_delete_takes_items_and_fields_away() -> None:
    assert [each["name"] for each in main(container(env=[{"name": "A", "$patch": "delete"}]))["env"]] == ["B"]
    assert "readinessProbe" not in main(container(readinessProbe={"$patch": "delete"}))
    assert "readinessProbe" not in main(container(readinessProbe=None))


def test_replace_keeps_nothing() -> None:
    assert main(container(readinessProbe={"$patch": "replace", "exec": {}}))["readinessProbe"] == {"exec": {}}
    env = [{"$patch": "replace"}, {"name": "Z", "value": "1"}]
    assert main(container(env=env))["env"] == [{"name": "Z", "value": "1"}]


def test_a_volume_of_another_type_replaces_the_old_type() -> None:
    volumes = [{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}}]
    assert merge(TEMPLATE, {"spec": {"volumes": volumes}})["spec"]["volumes"] == volumes
    larger = [{"name": "tmp", "emptyDir": {"medium": "Memory"}}]
    assert merge(TEMPLATE, {"spec": {"volumes": larger}})["spec"]["volumes"] == [
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}}
    ]


def test_primitives_are_deleted_by_their_directive() -> None:
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert merge({"metadata": {"finalizers": ["a", "b"]}}, patch) == {"metadata": {"finalizers": ["b"]}}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"spec": {"containers": [{"image": "x"}]}}, "spec.containers: every item needs name"),
        ({"spec": {"containers": ["main"]}}, "spec.containers: every item needs name"),
        (container(env=[{"value": "1"}]), r"spec.containers\[main\].env: every item needs name"),
        ({"spec": {"$patch": "remove"}}, r"spec.\$patch: 'remove'"),
        ({"spec": {"$retainKeys": 5}}, r"spec.\$retainKeys: 5 is not a list"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": 5}}, r"finalizers: 5 is not a list"),
    ],
)
def test_what_cannot_be_merged_is_named(patch: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPatchError, match=words):
        merge(TEMPLATE, patch)


def test_an_empty_patch_changes_nothing() -> None:
    assert merge(TEMPLATE, {}) == TEMPLATE
