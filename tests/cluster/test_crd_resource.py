"""The resource as its users meet it: what kubectl shows, fills in, merges, scales and refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api import Api, Object
from tests.kubectl import KubectlError
from tests.waiting import eventually

Kubectl = Callable[..., str]

# A class that no operator looks after: what is written here stays as it is.
MINIMAL = {"className": "nobody", "models": [{"name": "sdxl", "provider": "Sandbox"}]}
UNSEEN = {"observedGeneration": -1}


@pytest.fixture
def here(kubectl: Kubectl, crd: str, namespace: str) -> Kubectl:
    return lambda *argv, **options: kubectl(f"--namespace={namespace}", *argv, **options)


def resource(spec: Object, name: str = "try") -> str:
    body = {"apiVersion": "texttoimage.dev/v1alpha1", "kind": "TextToImageService", "spec": spec}
    return json.dumps({**body, "metadata": {"name": name}})


def create(here: Kubectl, spec: Object) -> Object:
    made: Object = json.loads(here("create", "--output=json", "--filename=-", input=resource(spec)))
    return made


def test_the_api_server_holds_the_schema_to_be_structural(kubectl: Kubectl, crd: str) -> None:
    conditions = json.loads(kubectl("get", "crd", crd, "--output=json"))["status"]["conditions"]

    assert {each["type"]: each["status"] for each in conditions} == {"Established": "True", "NamesAccepted": "True"}


def test_client_side_apply_can_carry_the_crd(kubectl: Kubectl, checkout: Any) -> None:
    crds = kubectl("create", "--dry-run=client", "--save-config", "--output=json", f"--filename={checkout / 'crds'}")

    annotations = json.loads(crds)["metadata"]["annotations"]
    assert sum(len(name) + len(value) for name, value in annotations.items()) < 262_144


@pytest.mark.parametrize("name", ["t2i", "t2iservice", "t2iservices", "texttoimageservice", "texttoimageservices"])
def test_every_name_finds_it(here: Kubectl, name: str) -> None:
    create(here, MINIMAL)

    assert here("get", name, "--output=name").strip() == "texttoimageservice.texttoimage.dev/try"


def blocks(path: str, schema: Object) -> Iterator[tuple[str, Object]]:
    if "properties" in schema:
        yield path, schema
        for name, child in schema["properties"].items():
            yield from blocks(f"{path}.{name}", child.get("items", child))


def descriptions(spec: Object) -> dict[str, str]:
    return {
        f"{path}.{name}": field["description"]
        for path, schema in blocks("t2i.spec", spec)
        for name, field in schema["properties"].items()
    }


@pytest.fixture
def written(checkout: Path) -> Object:
    """Return the schema of `spec` as the CRD has it."""
    [file] = (checkout / "crds").glob("*.yaml")
    root = yaml.safe_load(file.read_text())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    found: Object = root["properties"]["spec"]
    return found


def test_the_api_server_publishes_a_sentence_for_every_field(api: Api, crd: str, written: Object) -> None:
    """Whatever explains or completes fields reads it there, kubectl among others."""
    wanted = descriptions(written)
    assert all(wanted.values())

    def published() -> bool:
        schemas = api.request("GET", "/openapi/v3/apis/texttoimage.dev/v1alpha1")["components"]["schemas"]
        assert descriptions(schemas["dev.texttoimage.v1alpha1.TextToImageService"]["properties"]["spec"]) == wanted
        return True

    eventually(published, "what is installed to be published")


@pytest.mark.parametrize("path", ["t2i.spec", "t2i.spec.models"])
def test_explain_shows_it(kubectl: Kubectl, crd: str, written: Object, path: str) -> None:
    explained = " ".join(kubectl("explain", path).split())

    for name, field in dict(blocks("t2i.spec", written))[path]["properties"].items():
        assert " ".join(field["description"].split()) in explained, f"{path}.{name}"


def test_defaults_are_stored_but_not_inside_list_items(here: Kubectl) -> None:
    stored = create(here, {**MINIMAL, "monitoring": {"metrics": {}}})["spec"]

    assert stored["imagePullPolicy"] == "IfNotPresent"
    assert stored["monitoring"]["metrics"] == {"mode": "Managed", "interval": "30s"}
    assert stored["models"] == MINIMAL["models"]
    assert "image" not in stored
    assert "replicas" not in stored, "what is not stated would pass for it"


def test_what_the_schema_does_not_know_is_refused(here: Kubectl) -> None:
    with pytest.raises(KubectlError, match=r'unknown field "spec\.colour"'):
        create(here, {**MINIMAL, "colour": "blue"})


def test_the_pod_template_is_stored_as_it_is(here: Kubectl) -> None:
    pod = {"containers": [{"name": "text-to-image", "env": [{"$patch": "delete", "name": "A"}]}], "colour": {"a": 1}}

    assert create(here, {**MINIMAL, "podTemplate": {"spec": pod}})["spec"]["podTemplate"] == {"spec": pod}


def test_two_managers_merge_models_by_name(here: Kubectl) -> None:
    def apply(manager: str, name: str, weight: int) -> None:
        body = resource({**MINIMAL, "models": [{"name": name, "provider": "Sandbox", "weight": weight}]})
        here("apply", "--server-side", f"--field-manager={manager}", "--filename=-", input=body)

    apply("one", "a", 1)
    apply("two", "b", 1)
    apply("one", "a", 3)

    models = json.loads(here("get", "t2i", "try", "--output=json"))["spec"]["models"]
    assert {model["name"]: model["weight"] for model in models} == {"a": 3, "b": 1}


def test_kubectl_scale_and_autoscalers_find_what_they_need(here: Kubectl, namespace: str) -> None:
    create(here, MINIMAL)
    status = {"replicas": 1, "selector": "app.kubernetes.io/instance=try"}
    here("patch", "t2i", "try", "--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}")

    here("scale", "t2i/try", "--replicas=3")

    path = f"/apis/texttoimage.dev/v1alpha1/namespaces/{namespace}/texttoimageservices/try/scale"
    scale = json.loads(here("get", "--raw", path))
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 1, "selector": "app.kubernetes.io/instance=try"}


def test_the_columns_show_the_state(here: Kubectl) -> None:
    create(here, MINIMAL)
    said = {"lastTransitionTime": "2026-01-01T00:00:00Z", "message": "Said."}
    status = {
        "replicasSummary": "1/2",
        "endpoint": "http://try-service.here.svc",
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "ImagePullBackOff", **said},
            {"type": "Monitored", "status": "True", "reason": "Monitored", **said},
        ],
    }
    here("patch", "t2i", "try", "--subresource=status", "--type=merge", f"--patch={json.dumps({'status': status})}")

    head, row = (line.split() for line in here("get", "t2i").splitlines())
    assert head == ["NAME", "READY", "MONITORED", "REPLICAS", "MODEL", "ENDPOINT", "REASON", "AGE"]
    assert row[:-1] == ["try", "False", "True", "1/2", "sdxl", "http://try-service.here.svc", "ImagePullBackOff"]


def test_what_no_operator_has_seen_yet_is_ready_for_nobody(here: Kubectl) -> None:
    """By kstatus, which Helm and Flux wait by, what has neither a generation that was observed nor conditions is."""
    create(here, MINIMAL)

    assert json.loads(here("get", "t2i", "try", "--output=json"))["status"] == UNSEEN
    assert here("get", "t2i", "try", "--no-headers").split()[:-1] == ["try", "sdxl"], "nothing else is said"


def test_status_is_written_only_through_its_subresource(here: Kubectl) -> None:
    create(here, MINIMAL)

    here("patch", "t2i", "try", "--type=merge", '--patch={"status": {"replicas": 7}}')

    assert json.loads(here("get", "t2i", "try", "--output=json"))["status"] == UNSEEN


def test_rules_on_the_largest_lists_stay_within_what_the_api_server_will_compute(here: Kubectl) -> None:
    value = {"secretKeyRef": {"name": "n" * 253, "key": "k" * 253}}
    target = {"type": "AverageValue", "averageValue": "1" * 12}
    model = {
        "provider": "Replicate",
        "version": f"{'o' * 60}/{'n' * 60}:{'a' * 64}",
        "timeoutSeconds": 1,
        "price": {"perSecond": "1" * 9},
        "limits": {"maxWidth": 2048},
        "defaults": {"width": 2048, "negativePrompt": "n" * 4000},
    }
    peer = {
        "ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"] * 64},
        "ports": [{"port": 1, "endPort": 2}] * 16,
    }
    burn = {"severity": "Warning", "factor": "1", "longWindow": "999999h999999m", "shortWindow": "999999h"}
    mail = {"to": "t", "smarthost": f"{'s' * 240}:25", "authUsername": "u" * 253, "authPassword": value}
    alerts = {
        "alertLabels": {f"{'l' * 60}{number}": "v" * 2048 for number in range(32)},
        "burnRates": [{"name": f"b{number}", **burn} for number in range(8)],
        "receivers": [{"name": f"r{number}", "email": mail} for number in range(16)],
        "budget": {"amount": "1"},
    }
    step = {"action": "labelmap", "targetLabel": "l" * 253, "replacement": "r" * 2048, "regex": "r" * 2048}
    metrics = {"relabelings": [step] * 32, "metricRelabelings": [step] * 32}
    tail = {"mode": "Enabled", "decisionWait": "999999h999999m999999s999999ms"}

    create(
        here,
        {
            "className": "nobody",
            "models": [{"name": f"m{number}", **model} for number in range(32)],
            "autoscaling": {
                "maxReplicas": 2,
                "metrics": [{"type": "Pods", "pods": {"metric": {"name": "m" * 253}, "target": target}}] * 16,
            },
            "networkPolicy": {"egressTo": [peer] * 64},
            "monitoring": {"metrics": metrics, "alerts": alerts, "tracing": {"jaeger": {"tailSampling": tail}}},
        },
    )
