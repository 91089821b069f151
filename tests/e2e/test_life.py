"""One resource's life on real pods: applied, used, edited, broken, repaired, deleted."""

import base64
import json

import pytest

from tests.e2e.subject import SANDBOX, Subject, size_of, until


def test_one_resource_becomes_a_service_that_draws(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    answer = subject.generate(width=256, height=192, seed=7)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["sandbox"] is True
    assert body["seed"] == 7
    assert body["request_id"] == answer.headers["x-request-id"]
    assert size_of(base64.b64decode(body["images"][0]["b64_json"])) == (256, 192)
    row = subject.kubectl("get", "t2iservices", subject.name, "-n", subject.namespace).splitlines()
    header, values = row[0].split(), row[1].split()
    assert header[:2] == ["NAME", "READY"]
    assert values[1] == "True"


def test_an_edit_reaches_new_pods(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    before = subject.pod_uids()
    edited = {**SANDBOX["models"][0], "defaults": {"width": 320, "height": 128}}
    subject.patch({"spec": {"models": [edited]}})
    subject.ready()
    until(lambda: subject.pods() and not before & subject.all_uids(), "the old pods to be gone")
    picture = base64.b64decode(subject.generate().json()["images"][0]["b64_json"])
    assert size_of(picture) == (320, 128)


def test_deleted_children_come_back(subject: Subject) -> None:
    """Delete them at once: that each comes back by itself, tests/cluster says."""
    subject.apply(SANDBOX)
    subject.ready()
    name = subject.name
    children = {
        "service": f"{name}-service",
        "deployment": name,
        "serviceaccount": name,
        "configmap": f"{name}-config",
        "secret": f"{name}-keys",
    }
    before = {kind: subject.get(kind, child)["metadata"]["uid"] for kind, child in children.items()}
    pods = subject.pod_uids()
    named = [f"{kind}/{child}" for kind, child in children.items()]
    subject.kubectl("delete", *named, "-n", subject.namespace, "--wait=false")

    def back() -> bool:
        uids = {kind: subject.get(kind, child).get("metadata", {}).get("uid") for kind, child in children.items()}
        assert [kind for kind, uid in uids.items() if uid in (None, before[kind])] == []
        return True

    until(back, "another of each", 30)
    until(lambda: subject.pods() and not pods & subject.pod_uids(), "pods of the new Deployment alone")
    subject.ready()
    until(lambda: subject.generate(width=64, height=64).status_code == 200, "a picture")


def test_scaling_by_kubectl_scale(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    subject.kubectl("scale", "t2i", subject.name, "--replicas=2", "-n", subject.namespace)
    subject.ready()
    assert len(subject.pods()) == 2
    assert subject.resource()["status"]["readyReplicas"] == 2


def test_deleting_the_resource_takes_its_objects_with_it(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    subject.kubectl("delete", "t2i", subject.name, "-n", subject.namespace, "--timeout=30s")
    kinds = "deployments,services,serviceaccounts,secrets,configmaps,pods"
    selector = f"app.kubernetes.io/instance={subject.name}"

    def gone() -> bool:
        left = json.loads(subject.kubectl("get", kinds, "-n", subject.namespace, "-l", selector, "-o", "json"))
        assert left["items"] == [], [f"{item['kind']}/{item['metadata']['name']}" for item in left["items"]]
        return True

    until(gone, "every object to be collected")


def test_nonsense_is_refused_with_a_sentence_and_harms_nobody(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    before = subject.pod_uids()
    with pytest.raises(Exception, match="needs version"):
        subject.patch({"spec": {"models": [{"name": "sdxl", "provider": "Replicate"}]}})
    # What passes the schema but not the API server's reading of a Deployment is said in the status.
    subject.patch({"spec": {"podTemplate": {"spec": {"containers": [{"name": "text-to-image", "ports": "nonsense"}]}}}})
    said = subject.wait("Accepted", "False", "InvalidSpec")
    assert "podTemplate" in said["message"]
    assert subject.pod_uids() == before
    assert subject.generate(width=64, height=64).status_code == 200


def test_an_image_that_cannot_be_pulled_is_said_and_the_old_pods_serve_on(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    subject.patch({"spec": {"image": "localhost/no-such-image:1"}})
    said = subject.wait("Progressing", "False")
    assert said["reason"] in {"ImagePullBackOff", "ErrImagePull"}
    assert "no-such-image" in said["message"]
    assert subject.condition("Available")["status"] == "True"
    assert subject.condition("Ready")["status"] == "False"
    assert subject.generate(width=64, height=64).status_code == 200
