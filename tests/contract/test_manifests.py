"""Every way to install by kustomize, alone and together, rendered as kubectl does: what comes out fits the operator."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster.paths import Layout
from tests.installed import leads, only, settings

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
WAYS = {
    "base": ["base"],
    "high-availability": ["overlays/high-availability"],
    "namespaced": ["overlays/namespaced"],
    "class": ["overlays/class"],
    "namespaced with two replicas": ["overlays/namespaced", "components/high-availability"],
    "class with two replicas": ["overlays/class", "components/high-availability"],
}

Object = dict[str, Any]


def rendered(kustomization: Object, folder: Path) -> list[Object]:
    """Return the objects of a kustomization of somebody's, in a folder beside the manifests."""
    folder.mkdir()
    (folder.parent / "manifests").symlink_to(MANIFESTS)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    argv = [Layout.of_this_checkout().kubectl, "kustomize", folder]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def together(parts: list[str]) -> Object:
    base, *components = (f"../manifests/{part}" for part in parts)
    return {"resources": [base], "components": components}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return tmp_path / "mine"


@pytest.mark.parametrize("parts", WAYS.values(), ids=WAYS.keys())
def test_the_operator_may_have_the_lease_that_it_asks_for(mine: Path, parts: list[str]) -> None:
    assert leads(rendered(together(parts), mine))


def test_a_class_has_a_lease_and_a_namespace_of_its_own_and_nothing_of_the_operator_without(mine: Path) -> None:
    theirs = {_identity(body) for body in rendered(together(["base"]), mine)}
    (mine.parent / "classy").mkdir()
    objects = rendered(together(["overlays/class"]), mine.parent / "classy" / "mine")
    assert settings(objects).class_name == "painting"
    assert settings(objects).lease_name == "text-to-image-operator-painting"
    assert not theirs & {_identity(body) for body in objects}
    (subject,) = only(objects, "ClusterRoleBinding")["subjects"]
    assert subject["namespace"] == only(objects, "Namespace")["metadata"]["name"] == settings(objects).lease_namespace


def _identity(body: Object) -> tuple[str, str, str]:
    return body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]


def test_a_class_for_one_namespace_may_have_its_lease_too(mine: Path) -> None:
    """As the overlay's comment says: by another base, and a namespace that is there."""
    kustomization = yaml.safe_load((MANIFESTS / "overlays/class/kustomization.yaml").read_text())
    kustomization |= {"resources": ["../manifests/overlays/namespaced"], "namespace": "studio"}
    objects = rendered(kustomization, mine)
    assert leads(objects)
    assert settings(objects).namespaces == ("studio",)
    assert {body["metadata"]["namespace"] for body in objects} == {"studio"}
    assert not [body for body in objects if body["kind"].startswith("Cluster")]


@pytest.mark.parametrize("part", ["base", "overlays/namespaced", "overlays/class"])
def test_the_second_replica_has_its_budget_where_it_is(mine: Path, part: str) -> None:
    objects = rendered(together([part, "components/high-availability"]), mine)
    deployment, budget = (only(objects, kind) for kind in ("Deployment", "PodDisruptionBudget"))
    assert deployment["spec"]["replicas"] == 2
    assert budget["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("part", ["base", "overlays/namespaced", "overlays/class", "overlays/high-availability"])
def test_the_readme_s_overlay_runs_the_images_that_it_names(mine: Path, part: str) -> None:
    """It is what the README applies, over whichever of ours: those name images that no registry has."""
    readme = (ROOT / "README.md").read_text()
    assert re.findall(r"^kubectl apply -k (\S+)$", readme, re.MULTILINE) == [mine.name]
    (text,) = re.findall(r"```yaml\n(# mine/kustomization.yaml\n.*?)```", readme, re.DOTALL)
    objects = rendered(yaml.safe_load(text.replace("manifests/base", f"manifests/{part}")), mine)
    (container,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    named = (container["image"], settings(objects).service_image)
    assert named == ("registry.example.com/operator:mine", "registry.example.com/service:mine")
    for image in named:
        assert f"-t {image} ." in readme
    given = dict(pair.split("=") for pair in re.findall(r"--set (image\.\S+)", readme)[0].split(","))
    assert (f"{given['image.repository']}:{given['image.tag']}", given["serviceImage"]) == named
