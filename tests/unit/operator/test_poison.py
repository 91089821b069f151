"""Pod templates that the API server stores unseen: they are refused by us or by it, and cost little until then."""

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from t2i_operator import builders, naming, spec
from t2i_operator.builders import Observed, strategic
from t2i_operator.known import drift, references
from t2i_operator.kube import oversize
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, SECRET, VOLUME_CLAIM
from t2i_operator.spec import pod_template

OBSERVED = Observed(image="i:1", jaeger_image="j:1", keys={"primary": "k"})
QUANTITIES = ["1e999999", "1e9999999", "-1e-999999", "1e999999Ki", "1e999999m", "sNaN", "NaN", "Infinity", "9" * 99]
NAMES = [
    *("containers", "initContainers", "env", "volumes", "volumeMounts", "ports", "imagePullSecrets", "hostAliases"),
    *("resources", "limits", "requests", "target", "sizeLimit", "divisor", "emptyDir", "secret", "secretName", "args"),
    *("name", "value", "valueFrom", "secretKeyRef", "configMapRef", "claimName", "mountPath", "containerPort"),
    *("terminationGracePeriodSeconds", "securityContext", "labelSelector", "$patch", "$retainKeys"),
    *(f"$deleteFromPrimitiveList/{name}" for name in ("args", "containers", "terminationGracePeriodSeconds")),
]
ATOMS = [None, True, 0, -1, 1.5, 2**62, "", "text-to-image", "tmp", "/tmp", 8000, "replace", "delete", "merge"]
INSIDE = st.recursive(
    st.sampled_from([*ATOMS, *QUANTITIES]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inside, max_size=4),
    max_leaves=8,
)
CONTAINER = st.dictionaries(st.sampled_from(NAMES), INSIDE, max_size=4).map(lambda it: {**it, "name": "text-to-image"})
POD = st.builds(
    lambda pod, containers: {**pod, "containers": containers} if containers else pod,
    st.dictionaries(st.sampled_from(NAMES), INSIDE, max_size=3),
    st.lists(CONTAINER, max_size=2),
)


def read(pod: Any) -> list[bytes]:
    """Do to a resource what is done before the API server is asked for its opinion."""
    body = {
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1},
        "spec": {"models": [{"name": "s", "provider": "Sandbox"}], "podTemplate": {"spec": pod}},
    }
    resource = spec.parse(body)
    for kind in (SECRET, CONFIG_MAP, VOLUME_CLAIM):
        references.named(resource, kind)
    return [drift.expected(each) for each in builders.desired(resource, OBSERVED) if each["kind"] == DEPLOYMENT.name]


def read_or_refuse(pod: Any) -> None:
    with contextlib.suppress(spec.InvalidSpec, strategic.InvalidPatchError):
        assert read(pod)


@settings(max_examples=300, deadline=None)
@given(pod=POD)
def test_whatever_a_pod_template_says_it_is_read_or_refused(pod: Any) -> None:
    read_or_refuse(pod)


@pytest.mark.parametrize(
    "pod",
    [
        {"$deleteFromPrimitiveList/terminationGracePeriodSeconds": [1]},
        {"imagePullSecrets": [{"name": {}}]},
        {
            "containers": [
                {"name": "text-to-image", "$patch": "replace", "env": ["no"]},
                {"name": "text-to-image", "env": [{"name": "A"}]},
            ]
        },
        *({"containers": [{"name": "text-to-image", "resources": {"limits": {"cpu": each}}}]} for each in QUANTITIES),
    ],
    ids=str,
)
def test_these_were_bugs(pod: Any) -> None:
    read_or_refuse(pod)


@pytest.mark.parametrize("quantity", ["1e999999", "1E-0100", "-1e+100", "1e9999999", "9" * 65])
@pytest.mark.parametrize("field", ["limits", "requests", "sizeLimit", "divisor", "overhead"])
def test_powers_of_ten_are_kept_from_the_api_server(field: str, quantity: str) -> None:
    """It works them out, and would be asked to again and again."""
    place = {
        "limits": {"containers": [{"name": "text-to-image", "resources": {"limits": {"cpu": quantity}}}]},
        "requests": {"initContainers": [{"name": "a", "resources": {"requests": {"cpu": quantity}}}]},
        "sizeLimit": {"volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": quantity}}]},
        "divisor": {"containers": [{"env": [{"valueFrom": {"resourceFieldRef": {"divisor": quantity}}}]}]},
        "overhead": {"overhead": {"cpu": quantity}},
    }
    with pytest.raises(spec.InvalidSpec, match=rf"^spec\.podTemplate\.spec\..*{field}.* is no quantity"):
        read(place[field])


def cut(body: Any, around: str = "object") -> Any:
    """Return what is let in of a resource, whose JSON has 220 kB at most, that of the list or event around it too."""
    body = {"kind": "TextToImageService", **body}
    held = {"list": {"kind": "List", "items": [{}, body]}, "event": {"type": "ADDED", "object": body}}
    found = oversize.cut(json.dumps(held.get(around, body), separators=(",", ":")).encode())
    assert len(found) < 220_000
    decoded = json.loads(found)
    return decoded["items"][1] if around == "list" else decoded["object"] if around == "event" else decoded


@pytest.mark.parametrize("around", ["object", "list", "event"])
@pytest.mark.parametrize("place", ["podTemplate", "monitoring.tracing.jaeger.podTemplate"])
def test_a_large_template_is_refused_and_not_decoded(place: str, around: str) -> None:
    """As many empty objects as etcd takes are 44 MB in Python."""

    def answered(pod: Any) -> Any:
        wanted: Any = {"spec": pod}
        for name in reversed(place.split(".")):
            wanted = {name: wanted}
        metadata = {"name": "a", "namespace": "n", "uid": "u", "generation": 1}
        models = [{"name": "s", "provider": "Sandbox"}]
        return cut({"metadata": metadata, "spec": {"models": models, "replicas": 2, **wanted}}, around)

    small = answered({"tolerations": [{}] * 42_000})
    assert spec.parse(small).spec.replicas == 2
    assert len(json.dumps(small)) > 120_000

    large = answered({"tolerations": [{}] * 500_000})
    assert len(json.dumps(large)) < 1000
    assert large["spec"]["replicas"] == 2
    with pytest.raises(spec.InvalidSpec, match=r"podTemplate\.spec: Has more than 128 KiB"):
        spec.parse(large)


def test_a_template_is_as_large_as_it_is_without_gos_escapes() -> None:
    pod = {"containers": [{"name": "text-to-image", "env": [{"name": "PAGE", "value": "<" * 40_000}]}]}
    resource = {"kind": "TextToImageService", "spec": {"podTemplate": {"spec": pod}}}
    escaped = json.dumps(resource).replace("<", r"\u003c").encode()
    assert json.loads(oversize.cut(escaped))["spec"]["podTemplate"]["spec"] == pod


@pytest.mark.parametrize("around", ["object", "list", "event"])
@pytest.mark.parametrize(
    "more", [{}, {"labels": {f"l{number}": "" for number in range(90_000)}}], ids=["fields", "labels"]
)
def test_what_nobody_reads_of_large_metadata_is_not_decoded(more: dict[str, Any], around: str) -> None:
    """A key of a template has a name in `managedFields` for everybody who has applied it, and labels have no bound."""
    keys = {str(number): {} for number in range(12_000)}
    fields = {"f:spec": {"f:podTemplate": {"f:spec": {f"f:{key}": {} for key in keys}}}}
    others = [{"manager": f"m{number}", "operation": "Apply", "fieldsV1": fields} for number in range(8)]
    ours = {"manager": naming.FIELD_MANAGER, "operation": "Apply", "subresource": "status"}
    told = [
        {**ours, "fieldsV1": {"f:status": {"f:replicas": {}}}},
        {**ours, "fieldsV1": fields, "subresource": ""},
        {**ours, "fieldsV1": fields, "manager": "m"},
    ]
    named = {"name": "a", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "5"}
    metadata = {**named, "deletionTimestamp": "2026-01-01T00:00:00Z", "managedFields": [*others, *told]}
    body = {"metadata": metadata | more, "spec": {"podTemplate": {"spec": keys}}, "status": {"replicas": 2, "a": 1}}

    found = cut(body, around)
    assert found["metadata"] == {**metadata, "managedFields": told[:1]}
    assert found["spec"] == body["spec"]
    assert drift.own_status(found) == {"replicas": 2}

    feigned = {**metadata, "managedFields": [{**ours, "fieldsV1": fields}] * 8}
    assert cut({**body, "metadata": feigned}, around)["metadata"]["managedFields"] == []


def test_metadata_of_a_child_is_left_as_it_is() -> None:
    owner = {"kind": "TextToImageService", "name": "a"}
    labels = {f"l{number}": "" for number in range(20_000)}
    child = {"kind": "ConfigMap", "metadata": {"name": "c", "ownerReferences": [owner], "labels": labels}}
    content = json.dumps({"items": [child]}).encode()
    assert json.loads(oversize.cut(content)) == {"items": [child]}


@pytest.mark.parametrize("content", ['{"kind":{}', '["kind",{}]', '{{"spec":{}}}', "no JSON: {}"])
def test_what_is_no_object_is_left_as_it_is(content: str) -> None:
    padded = content.replace("{}", '"TextToImageService"' + " " * 140_000).encode()
    assert oversize.cut(padded) == padded


def test_what_parse_is_given_is_measured_too() -> None:
    pod: Any = {"tolerations": [{}] * 44_000}
    assert "more than 128 KiB" in pod_template.problems(pod_template.PodTemplate(spec=pod), "spec.podTemplate")[0]


def test_what_only_looks_like_one_is_let_through() -> None:
    env = [{"name": "A", "value": "1e999999"}]
    limits = {"cpu": "1e3", "memory": "1E", "example.com/a": "12345678901234567890", "example.com/b": 1e9}
    assert read({"containers": [{"name": "text-to-image", "env": env, "resources": {"limits": limits}}]})


@pytest.mark.parametrize("quantity", ["1e999999", "1e-999999", "1e9999999Gi"])
def test_a_short_quantity_takes_little_memory(quantity: str) -> None:
    """Of a live object as well, in whose open fields it may stand: the operator's pod may have 256 MiB for them all."""
    limits = {f"example.com/{number}": quantity for number in range(400)}
    tracemalloc.start()
    try:
        assert drift.expected({"metadata": {}, "spec": {"limits": limits}})
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
