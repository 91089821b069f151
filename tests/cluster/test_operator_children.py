"""Each kind of object: built, owned, repaired whatever is done to it, and left alone where it is somebody else's."""

import pytest
from t2i_operator.kube.kinds import CHILDREN as CHILD_KINDS
from t2i_operator.kube.kinds import OPTIONAL, Kind
from t2i_operator.naming import CHILD_SELECTOR

from tests.api import Object
from tests.cluster.operators import Service
from tests.waiting import eventually

CHECKSUM = ("spec", "template", "metadata", "annotations", "texttoimage.dev/config-checksum")
# plural, suffix of its name, and a change to a field that the operator applies: (path, value to break it with). Left
# out, it must not become what we apply: no default of the API server's.
CHILDREN = [
    pytest.param("serviceaccounts", "", ("automountServiceAccountToken",), True, id="ServiceAccount"),
    pytest.param("secrets", "-keys", ("metadata", "labels", "app.kubernetes.io/name"), "x", id="Secret of keys"),
    pytest.param("secrets", "-secrets", ("data", "REPLICATE_API_TOKEN"), "eHg=", id="Secret of credentials"),
    pytest.param("configmaps", "-config", ("data", "models.json"), "{}", id="ConfigMap"),
    pytest.param("services", "-service", ("spec", "selector", "app.kubernetes.io/instance"), "x", id="Service"),
    pytest.param("deployments", "", CHECKSUM, "x", id="Deployment"),
]
each_child = pytest.mark.parametrize(("plural", "suffix", "field", "value"), CHILDREN)


@pytest.fixture
def running(common_service: Service) -> Service:
    """Return the service of which each case has a child to itself."""
    if not common_service.exists():
        _run(common_service)
    common_service.ready()
    return common_service


@pytest.fixture
def own(service: Service) -> Service:
    _run(service)
    return service


def _run(service: Service) -> None:
    service.api.apply(service.api.path("secrets", service.namespace, "tokens"), _secret("tokens", replicate="dG9rZW4="))
    ref = {"name": "tokens", "key": "replicate"}
    service.create(credentials={"replicateApiToken": {"secretKeyRef": ref}})
    service.ready()


def _secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def _nested(path: tuple[str, ...], value: object) -> Object:
    return {path[0]: value if len(path) == 1 else _nested(path[1:], value)}


def _at(live: Object, path: tuple[str, ...]) -> object:
    """Return what is there; None where nothing is, as the last field of a block takes the block along."""
    found: object = live
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _owned(service: Service, live: Object) -> bool:
    uid = service.live()["metadata"]["uid"]
    return any(owner["uid"] == uid and owner["controller"] for owner in live["metadata"].get("ownerReferences", ()))


@each_child
def test_it_is_owned_by_the_resource(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    assert _owned(running, running.child(plural, suffix))


@each_child
def test_a_changed_field_is_put_back(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    before = _at(running.child(plural, suffix), field)
    broken = running.api.patch(plural, running.namespace, running.name + suffix, _nested(field, value))
    assert _at(broken, field) != before

    eventually(lambda: _at(running.child(plural, suffix), field) == before, "the field to be put back")


@each_child
def test_a_removed_field_is_put_back(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    before = _at(running.child(plural, suffix), field)
    broken = running.api.patch(plural, running.namespace, running.name + suffix, _nested(field, None))
    assert _at(broken, field) != before

    eventually(lambda: _at(running.child(plural, suffix), field) == before, "the field to be put back")


@each_child
def test_a_removed_label_is_put_back(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    label = ("metadata", "labels", "app.kubernetes.io/managed-by")
    running.api.patch(plural, running.namespace, running.name + suffix, _nested(label, None))

    eventually(
        lambda: _at(running.child(plural, suffix), label) == "text-to-image-operator", "the label to be put back"
    )


@each_child
def test_a_removed_owner_is_put_back(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    running.api.patch(plural, running.namespace, running.name + suffix, {"metadata": {"ownerReferences": None}})

    eventually(lambda: _owned(running, running.child(plural, suffix)), "the owner to be put back")


@each_child
def test_a_deleted_object_is_made_again(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    before = running.child(plural, suffix)["metadata"]["uid"]
    running.api.delete(plural, running.namespace, running.name + suffix)

    eventually(lambda: running.child(plural, suffix)["metadata"]["uid"] != before, "another object of the name")
    running.ready()


@each_child
def test_fields_of_others_survive(
    running: Service, plural: str, suffix: str, field: tuple[str, ...], value: object
) -> None:
    name = running.name + suffix
    theirs = {"metadata": {"labels": {"team": "images"}, "annotations": {"example.com/note": "ours"}}}
    running.api.patch(plural, running.namespace, name, theirs)
    level = running.live()["spec"].get("logging", {}).get("level")
    running.edit(logging={"level": "ERROR" if level == "DEBUG" else "DEBUG"})
    running.api.patch(plural, running.namespace, name, _nested(field, value))

    eventually(lambda: _at(running.child(plural, suffix), field) != value, "our own field to be put back")
    metadata = running.child(plural, suffix)["metadata"]
    assert metadata["labels"]["team"] == "images"
    assert metadata["annotations"]["example.com/note"] == "ours"


def test_a_rollout_restart_survives(own: Service) -> None:
    stamp = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    template = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
    own.api.patch("deployments", own.namespace, own.name, template, manager="kubectl-rollout")
    own.edit(logging={"level": "DEBUG"})

    def edited() -> bool:
        template = own.child("deployments")["spec"]["template"]
        assert template["metadata"]["annotations"].items() >= stamp.items()
        return {"name": "LOG_LEVEL", "value": "DEBUG"} in template["spec"]["containers"][0]["env"]

    eventually(edited, "the edit to arrive")


def test_argo_s_tracking_labels_and_annotations_are_not_copied_to_children(own: Service) -> None:
    """Of the whole build, what was made before Argo CD took the resource over and what is made after."""
    marks = {
        "labels": {"app.kubernetes.io/instance": "app", "argocd.argoproj.io/instance": "app"},
        "annotations": {"argocd.argoproj.io/tracking-id": "app:texttoimage.dev/TextToImageService:n/pictures"},
    }
    own.api.patch("texttoimageservices", own.namespace, own.name, {"metadata": marks}, manager="argocd")
    own.edit(logging={"level": "DEBUG"}, networkPolicy={"mode": "Managed"})
    eventually(lambda: own.child("networkpolicies"), "what is made after")
    own.ready()

    children = [child for kind in CHILD_KINDS if kind not in OPTIONAL for child in _of_a_kind(own, kind)]
    assert len(children) > len(CHILDREN)
    for child in children:
        for metadata in (child["metadata"], child.get("spec", {}).get("template", {}).get("metadata", {})):
            written = {**metadata.get("labels", {}), **metadata.get("annotations", {})}
            assert not [name for name in written if name.startswith("argocd.argoproj.io/")]
            assert "app" not in written.values()


def _of_a_kind(service: Service, kind: Kind) -> list[Object]:
    found: list[Object] = service.api.request("GET", kind.path(service.namespace), labelSelector=CHILD_SELECTOR)[
        "items"
    ]
    return found


def test_copies_with_its_marks_are_left_alone(own: Service) -> None:
    """Who gives what `kubectl get -o yaml` prints another name takes the labels, annotations and owner along."""
    uids = {}
    for plural, suffix in (("secrets", "-secrets"), ("configmaps", "-config"), ("serviceaccounts", "")):
        live = own.child(plural, suffix)
        marks = {each: live["metadata"][each] for each in ("labels", "annotations", "ownerReferences")}
        copy = {**live, "metadata": {**marks, "name": f"{own.name}-copy"}}
        uids[plural] = own.api.create(plural, own.namespace, copy)["metadata"]["uid"]
    for level in ("DEBUG", "ERROR"):
        updates = len(own.events("Updated"))
        own.edit(logging={"level": level})
        eventually(lambda before=updates: len(own.events("Updated")) > before, "a pass after that")
    own.ready()
    assert {plural: own.child(plural, "-copy")["metadata"]["uid"] for plural in uids} == uids
    assert own.events("Deleted") == []


def test_what_a_finalizer_keeps_is_deleted_and_announced_once(service: Service) -> None:
    service.create(networkPolicy={"mode": "Managed"})
    service.ready()
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    service.api.patch("networkpolicies", service.namespace, service.name, held)
    service.edit(networkPolicy={"mode": "Disabled"})
    eventually(lambda: service.child("networkpolicies")["metadata"].get("deletionTimestamp"), "the deletion")
    service.api.patch(
        "networkpolicies", service.namespace, service.name, {"metadata": {"annotations": {"example.com/x": "y"}}}
    )
    for level in ("DEBUG", "ERROR"):
        updates = len(service.events("Updated"))
        service.edit(logging={"level": level})
        eventually(lambda before=updates: len(service.events("Updated")) > before, "a pass after that")
    assert len(service.told("Deleted")) == 1
    service.api.patch("networkpolicies", service.namespace, service.name, {"metadata": {"finalizers": None}})
    eventually(lambda: service.api.find("networkpolicies", service.namespace, service.name) is None, "it to go")
