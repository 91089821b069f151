"""What people and other programs do to the Deployment, which holds fields of every shape, and how it is put back."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api import Object
from tests.cluster.operators import Service
from tests.waiting import eventually

COMPOSED = {"replicateApiToken": {"secretKeyRef": {"name": "tokens", "key": "replicate"}}}
TOKEN = "REPLICATE_API_TOKEN"
POD = ("spec", "template", "spec")
CONTAINER = (*POD, "containers", "text-to-image")
KEYS = "/etc/text-to-image/keys"
LABEL = "app.kubernetes.io/name"


@pytest.fixture
def running(service: Service) -> Service:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tokens"}, "data": {"replicate": "eA=="}}
    service.api.create("secrets", service.namespace, body)
    service.create(credentials=COMPOSED)
    service.ready()
    return service


def _at(live: Any, path: tuple[str, ...]) -> Any:
    """Follow names through blocks and, by the items' names, through lists."""
    for part in path:
        found = live if isinstance(live, dict) else {item.get("name", item.get("mountPath")): item for item in live}
        live = found.get(part)
        if live is None:
            return None
    return live


def _said(deployment: Object) -> Object:
    """Return all but the number of the rollout, which grows when an edit of the pods is undone."""
    metadata = deployment["metadata"]
    annotations = {name: value for name, value in metadata["annotations"].items() if not name.endswith("/revision")}
    return {"spec": deployment["spec"], "labels": metadata["labels"], "annotations": annotations}


def _container(**change: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": [{"name": "text-to-image", **change}]}}}}


def _volumes(*volumes: Object) -> Object:
    return {"spec": {"template": {"spec": {"volumes": list(volumes)}}}}


def _strategic(service: Service, change: Object) -> Object:
    """Patch as `kubectl edit` and `kubectl patch` do, items of lists found by their names; return what that makes."""
    path, kind = service.api.path("deployments", service.namespace, service.name), "strategic-merge-patch+json"
    return service.api.request("PATCH", path, change, f"application/{kind}", fieldManager="kubectl-edit")


EXEC = {"command": ["true"]}
# What would be refused beside ours, were it left there.
SWAPS = [
    pytest.param(
        (*CONTAINER, "env", TOKEN), _container(env=[{"name": TOKEN, "value": "x", "valueFrom": None}]), id="env"
    ),
    pytest.param(
        (*CONTAINER, "env", "LOG_LEVEL"),
        _container(
            env=[{"name": "LOG_LEVEL", "value": None, "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]
        ),
        id="plain env",
    ),
    pytest.param(
        (*CONTAINER, "readinessProbe"), _container(readinessProbe={"httpGet": None, "exec": EXEC}), id="probe"
    ),
    pytest.param((*POD, "volumes", "keys"), _volumes({"name": "keys", "secret": None, "emptyDir": {}}), id="volume"),
    pytest.param(
        (*POD, "volumes", "tmp"),
        _volumes({"name": "tmp", "emptyDir": None, "hostPath": {"path": "/tmp"}}),
        id="empty volume",
    ),
]


@pytest.mark.parametrize(("path", "change"), SWAPS)
@pytest.mark.parametrize("template", [{}, {"metadata": {"annotations": {"a": "b"}}}], ids=["", "podTemplate"])
def test_what_cannot_stand_beside_ours_goes(
    running: Service, path: tuple[str, ...], change: Object, template: Object
) -> None:
    if template:
        running.edit(podTemplate=template)
        eventually(lambda: running.events("Updated"), "the template to arrive")
        running.ready()
    before = running.child("deployments")
    assert _at(_strategic(running, change), path) != _at(before, path)

    eventually(lambda: running.child("deployments")["spec"] == before["spec"], "the edit to be undone")
    assert running.ready()
    assert len(running.told("Repaired")) == 1
    assert not running.events("InvalidSpec")
    # One edit, one repair: two rollouts at most.
    assert running.child("deployments")["metadata"]["generation"] <= before["metadata"]["generation"] + 2


def test_a_swap_during_a_pause_is_undone_with_the_next_change(running: Service) -> None:
    running.edit(paused=True)
    running.wait("Reconciling", "False", "Paused")
    _strategic(running, _container(env=[{"name": TOKEN, "value": "x", "valueFrom": None}]))
    running.edit(paused=False, logging={"level": "DEBUG"})

    def restored() -> bool:
        env = (*CONTAINER, "env")
        live = running.child("deployments")
        token, level = (_at(live, (*env, name)) for name in (TOKEN, "LOG_LEVEL"))
        return "valueFrom" in token and "value" not in token and bool(level["value"] == "DEBUG")

    eventually(restored, "the new level and the old token")
    running.ready()


def _removed(name: str) -> Callable[[Service], Object]:
    return lambda service: _strategic(service, _container(**{name: None}))


def _label(where: str) -> Callable[[Service], Object]:
    change = {"metadata": {where: {"texttoimage.dev/owner-uid" if where == "annotations" else LABEL: "x"}}}
    return lambda service: _strategic(service, change)


def _template_label(where: str, name: str) -> Callable[[Service], Object]:
    return lambda service: _strategic(service, {"spec": {"template": {"metadata": {where: {name: "x"}}}}})


EDITS = [
    pytest.param(_label("labels"), id="a label"),
    pytest.param(_label("annotations"), id="an annotation"),
    pytest.param(_template_label("labels", "app.kubernetes.io/managed-by"), id="a label of the pods"),
    pytest.param(_template_label("annotations", "texttoimage.dev/config-checksum"), id="an annotation of the pods"),
    pytest.param(
        lambda service: _strategic(service, _container(env=[{"name": "LOG_LEVEL", "$patch": "delete"}])),
        id="an env item that is removed",
    ),
    pytest.param(
        lambda service: _strategic(service, _container(env=[{"name": "LOG_LEVEL", "value": "x"}])),
        id="an env item that is changed",
    ),
    pytest.param(_removed("livenessProbe"), id="a probe that is removed"),
    pytest.param(_removed("resources"), id="resources that are removed"),
    pytest.param(
        lambda service: _strategic(service, _container(volumeMounts=[{"mountPath": KEYS, "readOnly": False}])),
        id="a mount that is made writable",
    ),
    pytest.param(
        lambda service: _strategic(service, _volumes({"name": "config", "configMap": {"name": "theirs"}})),
        id="a volume's source that is changed",
    ),
    pytest.param(
        lambda service: _strategic(service, _container(securityContext={"capabilities": {"drop": []}})),
        id="capabilities that are given back",
    ),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_undone_whatever_its_shape(running: Service, edit: Callable[[Service], Object]) -> None:
    before = running.child("deployments")
    assert _said(edit(running)) != _said(before)

    def undone() -> bool:
        return _said(running.child("deployments")) == _said(before)

    eventually(undone, "the Deployment to be as before")
    assert running.told("Repaired")


def test_a_forced_apply_by_another_manager_is_undone_and_what_it_adds_stays(running: Service) -> None:
    before = running.child("deployments")
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": running.name, "labels": {LABEL: "theirs", "team": "images"}},
        "spec": {"progressDeadlineSeconds": 17, "minReadySeconds": 3},
    }
    path = running.api.path("deployments", running.namespace, running.name)
    running.api.apply(path, body, manager="their-pipeline", force="true")

    eventually(
        lambda: running.child("deployments")["spec"] == {**before["spec"], "minReadySeconds": 3},
        "the edit to be undone",
    )
    assert running.child("deployments")["metadata"]["labels"] == {**before["metadata"]["labels"], "team": "images"}
    (repaired,) = running.told("Repaired")
    assert "spec.progressDeadlineSeconds (their-pipeline)" in repaired["note"]
