"""The manifests and samples in front of the real API server, and what the rights in them come to."""

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.api import Api
from tests.cluster.rights import granted
from tests.waiting import eventually

Object = dict[str, Any]
Kubectl = Callable[..., str]

CHECKOUT = Path(__file__).parents[2]
EKS = [CHECKOUT / "k8s/eks" / name for name in ("namespace.yaml", "text-to-image.yaml")]
RESOURCES = [*sorted(CHECKOUT.glob("manifests/samples/*.yaml")), *EKS]


def rendered(kubectl: Kubectl, *folders: str) -> list[Object]:
    return [body for folder in folders for body in yaml.safe_load_all(kubectl("kustomize", str(CHECKOUT / folder)))]


def moved(body: Object, namespace: str) -> Object:
    """Give the object a namespace of the test's own, and names that meet no installed operator."""
    text = re.sub("text-to-image-(system|painting)", namespace, json.dumps(body))
    return json.loads(text.replace('"text-to-image-operator', f'"{namespace}'))  # type: ignore[no-any-return]


@pytest.mark.parametrize("file", RESOURCES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_api_server_accepts(file: Path, kubectl: Kubectl, crd: str, namespace: str) -> None:
    for body in yaml.safe_load_all(file.read_text()):
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        kubectl("apply", "--server-side", "--dry-run=server", "--filename=-", input=json.dumps(body))


@pytest.mark.parametrize("folder", ["manifests/base", "manifests/overlays/class"])
def test_the_operator_fits_restricted_pod_security(kubectl: Kubectl, namespace: str, folder: str) -> None:
    bodies = [moved(body, namespace) for body in rendered(kubectl, folder) if body["kind"] != "Namespace"]

    for body in bodies:
        argv = ("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--filename=-")
        kubectl(*argv, input=json.dumps(body))
    assert "Deployment" in {body["kind"] for body in bodies}


@pytest.fixture
def installed(kubectl: Kubectl, crd: str, namespace: str) -> Iterator[str]:
    """Grant the rights of manifests/base under other names; the ServiceAccount of the operator."""
    kinds = ("ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    bodies = [moved(body, namespace) for body in rendered(kubectl, "manifests/base") if body["kind"] in kinds]
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    kubectl("create", "--filename=-", input=everything)
    yield f"system:serviceaccount:{namespace}:{namespace}"
    kubectl("delete", "--filename=-", "--wait=false", input=everything)


NEEDED = (
    "watch texttoimageservices texttoimage.dev",
    "patch texttoimageservices/status texttoimage.dev",
    "update texttoimageservices/finalizers texttoimage.dev",
    "create deployments apps",
    "patch deployments apps",
    "patch services",
    "delete configmaps",
    "watch secrets",
    "list pods",
    "create events events.k8s.io",
    "create leases coordination.k8s.io",
)
TOO_MUCH = (
    "patch texttoimageservices texttoimage.dev",
    "delete texttoimageservices texttoimage.dev",
    "get pods",
    "create pods",
    "delete pods",
    "create pods/exec",
    "create pods/eviction",
    "update deployments apps",
    "patch leases coordination.k8s.io",
    "list replicasets apps",
    "list nodes",
    "list namespaces",
    "create clusterroles rbac.authorization.k8s.io",
    "bind clusterroles rbac.authorization.k8s.io",
    "delete leases coordination.k8s.io",
    "delete serviceaccounts",
    "create serviceaccounts/token",
    "impersonate serviceaccounts",
    "deletecollection secrets",
)


def test_the_operator_has_the_rights_it_needs_and_no_others(api: Api, installed: str, namespace: str) -> None:
    eventually(lambda: granted(api, installed, namespace, NEEDED) == list(NEEDED), "the rights to be known")
    assert not granted(api, installed, namespace, TOO_MUCH)


def test_an_operator_for_one_namespace_has_its_rights_there_and_nowhere_else(
    kubectl: Kubectl, api: Api, namespace: str
) -> None:
    bodies = rendered(kubectl, "manifests/overlays/namespaced")
    assert not [body for body in bodies if body["kind"] in ("Namespace", "ClusterRole", "ClusterRoleBinding")]
    for body in bodies:
        assert body["metadata"]["namespace"] == "text-to-image"
        body["metadata"]["namespace"] = namespace
        for subject in body.get("subjects", ()):
            assert subject["namespace"] == "text-to-image"
            subject["namespace"] = namespace
    (deployment,) = (body for body in bodies if body["kind"] == "Deployment")
    deployment["spec"]["replicas"] = 0
    everything = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
    kubectl("apply", "--server-side", "--warnings-as-errors", "--filename=-", input=everything)

    operator = f"system:serviceaccount:{namespace}:text-to-image-operator"
    eventually(lambda: granted(api, operator, namespace, NEEDED) == list(NEEDED), "the rights to be known")
    assert not granted(api, operator, namespace, TOO_MUCH)
    assert not granted(api, operator, "default", NEEDED)
    assert not granted(api, operator, "", NEEDED)


def test_two_replicas_may_not_be_evicted_together(kubectl: Kubectl, namespace: str) -> None:
    bodies = {body["kind"]: body for body in rendered(kubectl, "manifests/overlays/high-availability")}
    for body in (moved(bodies[kind], namespace) for kind in ("Deployment", "PodDisruptionBudget")):
        argv = ("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--filename=-")
        kubectl(*argv, input=json.dumps(body))
    budget, deployment = bodies["PodDisruptionBudget"]["spec"], bodies["Deployment"]["spec"]
    assert (deployment["replicas"], budget["maxUnavailable"]) == (2, 1)
    assert budget["selector"]["matchLabels"].items() <= deployment["template"]["metadata"]["labels"].items()


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("role", "verbs"),
    [
        ("view", {"get", "watch"}),
        ("edit", {"get", "watch", "patch", "delete"}),
        ("admin", {"get", "watch", "patch", "delete"}),
    ],
)
def test_roles_of_people_take_the_resource_in(
    kubectl: Kubectl, api: Api, namespace: str, role: str, verbs: set[str]
) -> None:
    kubectl("create", "rolebinding", "jane", f"--clusterrole={role}", "--user=jane", f"--namespace={namespace}")

    def asked(resource: str) -> set[str]:
        questions = [f"{verb} {resource} texttoimage.dev" for verb in ("get", "watch", "patch", "delete")]
        return {question.split()[0] for question in granted(api, "jane", namespace, questions)}

    eventually(lambda: asked("texttoimageservices") == verbs, "the roles to be aggregated")
    assert asked("texttoimageservices/scale") == verbs - {"delete"}
    assert asked("texttoimageservices/status") == {"get", "watch"}


def test_argo_cd_takes_the_health_check_as_a_component(tmp_path: Path, kubectl: Kubectl) -> None:
    argocd = tmp_path / "argocd"
    argocd.mkdir()
    subprocess.run(["cp", "-r", CHECKOUT / "manifests/argocd", tmp_path / "component"], check=True)  # noqa: S603, S607
    (argocd / "cm.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm}, data: {a: b}}")
    (argocd / "kustomization.yaml").write_text(
        "{resources: [cm.yaml], components: [../component], generatorOptions: {disableNameSuffixHash: true}}"
    )

    [config] = yaml.safe_load_all(kubectl("kustomize", str(argocd)))

    check = config["data"].pop("resource.customizations.health.texttoimage.dev_TextToImageService")
    assert check == (CHECKOUT / "manifests/argocd/health.lua").read_text()
    assert (config["metadata"]["name"], config["data"]) == ("argocd-cm", {"a": "b"})


def test_the_notes_of_the_chart_upgrade_the_crd_that_helm_has_installed(kubectl: Kubectl, tmp_path: Path) -> None:
    """Whoever installs it owns its fields. Tried with the CRD under another group's name, beside everybody's."""
    notes = (CHECKOUT / "manifests/helm/templates/NOTES.txt").read_text()
    [command] = re.findall(r"kubectl (apply .*-f crds/)", notes)
    [file] = (CHECKOUT / "crds").glob("*.yaml")
    body = yaml.safe_load(file.read_text())
    body["spec"] |= {"group": "upgraded.texttoimage.dev", "names": {"kind": "UpgradedService", "plural": "upgraded"}}
    body["metadata"]["name"] = name = "upgraded.upgraded.texttoimage.dev"
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / file.name).write_text(yaml.safe_dump(body))
    before = copy.deepcopy(body)
    described(before)["description"] = "As the chart before had it."

    kubectl("apply", "--server-side", "--field-manager=helm", "--filename=-", input=json.dumps(before))
    try:
        kubectl(*command.replace("crds/", str(tmp_path / "crds")).split())
        stored = json.loads(kubectl("get", "crd", name, "--output=json"))
        assert described(stored)["description"] == described(body)["description"]
    finally:
        kubectl("delete", "crd", name)


def described(crd: Object) -> Object:
    [version] = crd["spec"]["versions"]
    found: Object = version["schema"]["openAPIV3Schema"]
    return found
