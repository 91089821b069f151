"""What an API server stores and no operator should die of: each of these took it from everybody's resources once."""

import json
from collections.abc import Iterator

import pytest

from tests.api import Api
from tests.cluster.operators import OperatorAccount, OperatorProcess, Service

LEVELS = 1_500
LABEL = "app.kubernetes.io/managed-by"


def store(api: Api, path: str, body: object, inside: str, innermost: str) -> None:
    """Create an object with a nest in the place of "DEEP"; no JSON of Python's could be made or read of it."""
    nest = f'{{"{inside}":' * LEVELS + innermost + "}" * LEVELS
    content = json.dumps(body).replace('"DEEP"', nest)
    response = api._client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 201, response.text[-300:]


@pytest.fixture
def own_operator(api: Api, namespace: str, crd: str, own_account: OperatorAccount) -> Iterator[OperatorProcess]:
    operator = own_account.process("poisoned", namespaces=namespace, leader_election=False)
    yield operator
    operator.stop()


@pytest.mark.parametrize("first", [True, False], ids=["listed", "watched"])
def test_a_resource_nested_too_deep_harms_only_itself(
    api: Api, namespace: str, own_operator: OperatorProcess, *, first: bool
) -> None:
    service, poison = (Service(api, namespace, own_operator.class_name, name) for name in ("pictures", "poison"))
    body = {
        "apiVersion": "texttoimage.dev/v1alpha1",
        "kind": "TextToImageService",
        "metadata": {"name": poison.name, "namespace": namespace},
        "spec": {
            "className": own_operator.class_name,
            "models": [{"name": "sdxl", "provider": "Sandbox"}],
            "podTemplate": {"spec": "DEEP"},
        },
    }
    service.create()
    if not first:
        own_operator.start()
        service.ready()
    store(api, api.path("texttoimageservices", namespace), body, "a", "1")
    try:
        if first:
            own_operator.start()
        assert poison.told("InvalidSpec")
        service.ready()
        service.edit(logging={"level": "DEBUG"})
        service.ready()
        assert own_operator.running()
        assert not own_operator.events("by a bug")
    finally:
        own_operator.stop()
        path = api.path("texttoimageservices", namespace, poison.name)
        assert api._client.delete(path).status_code == 200  # its answer is as deep


def test_a_child_nested_too_deep_harms_nobody(api: Api, namespace: str, own_operator: OperatorProcess) -> None:
    service = Service(api, namespace, own_operator.class_name)
    fields = {"manager": "text-to-image-operator", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    metadata = {
        "name": "deep",
        "namespace": namespace,
        "labels": {LABEL: "text-to-image-operator", "app.kubernetes.io/instance": service.name},
        "managedFields": [{**fields, "time": "2026-01-01T00:00:00Z", "fieldsV1": "DEEP"}],
    }
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    store(api, api.path("configmaps", namespace), body, "f:a", "{}")
    service.create()
    own_operator.start()
    service.ready()
    assert not own_operator.events("stream broken")
    assert not own_operator.events("by a bug")
    assert api._client.delete(api.path("configmaps", namespace, "deep")).status_code == 200


@pytest.mark.parametrize("first", [True, False], ids=["listed", "watched"])
def test_a_resource_with_a_large_template_harms_only_itself(
    api: Api, namespace: str, own_operator: OperatorProcess, *, first: bool
) -> None:
    service, poison = (Service(api, namespace, own_operator.class_name, name) for name in ("pictures", "poison"))
    service.create()
    if not first:
        own_operator.start()
        service.ready()
    poison.create(podTemplate={"spec": {str(number): {} for number in range(20_000)}})
    if first:
        own_operator.start()
    assert "128 KiB" in poison.wait("Accepted", "False", "InvalidSpec")["message"]
    service.ready()
    service.edit(logging={"level": "DEBUG"})
    service.ready()
    assert own_operator.running()
    # By that it is known what may be cut, in a list as well.
    assert {each["kind"] for each in api.list("texttoimageservices", namespace)} == {"TextToImageService"}


def test_children_of_which_no_page_could_be_held_are_listed_in_short_ones(
    api: Api, namespace: str, own_operator: OperatorProcess
) -> None:
    """A list is gone on with by another limit than it was begun with."""
    service = Service(api, namespace, own_operator.class_name)
    for number in range(12):
        labels = {LABEL: "text-to-image-operator", "app.kubernetes.io/instance": service.name}
        metadata = {"name": f"large-{number}", "namespace": namespace, "labels": labels}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "a" * 1_000_000}}
        api.create("configmaps", namespace, body)
    service.create()
    own_operator.start()
    service.ready()
    assert not own_operator.events("stream broken")


@pytest.mark.parametrize(
    "pod",
    [
        {"containers": [{"name": "text-to-image", "resources": {"limits": {"example.com/a": "1e999999"}}}]},
        {"containers": [{"name": "text-to-image", "resources": {"limits": {"cpu": "sNaN"}}}]},
        {"$deleteFromPrimitiveList/terminationGracePeriodSeconds": [1]},
        {"imagePullSecrets": [{"name": {}}]},
    ],
    ids=str,
)
def test_a_pod_template_of_nonsense_is_refused_and_no_bug(
    service: Service, operator: OperatorProcess, pod: dict[str, object]
) -> None:
    service.create()
    service.ready()
    service.edit(podTemplate={"spec": pod})
    assert service.wait("Accepted", "False", "InvalidSpec")
    assert not operator.events("by a bug")
