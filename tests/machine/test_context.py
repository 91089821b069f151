"""A person's own cluster, which the embedded one stands for: it is used by name, and left as it was."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.cluster.app import CRD
from dev.cluster.kubectl import established
from dev.cluster.paths import Layout
from tests.machine.conftest import Command

PNG = b"\x89PNG\r\n\x1a\n"
HERE = "--context=text-to-image"
NAMESPACES = ("text-to-image", "text-to-image-system")
OPERATOR = ("deployment/text-to-image-operator", "--namespace=text-to-image-system")
SAMPLE = ("t2iservice/text-to-image", "--namespace=text-to-image")
NOTE = ("configmap/note", "--namespace=text-to-image-system")


@pytest.fixture
def _theirs(
    up: Callable[[], None],
    command: Command,
    cluster: Layout,
    kubectl: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Make the cluster one that never saw this project, and has images to pull."""
    up()
    _forget(kubectl)
    operator, service = (line.split()[0] for line in command("images").stdout.splitlines())
    monkeypatch.setenv("T2I_OPERATOR_IMAGE", operator)
    monkeypatch.setenv("T2I_SERVICE_IMAGE", service)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))


@pytest.fixture
def _installed(_theirs: None, kubectl: Callable[..., str], checkout: Path) -> Iterator[None]:
    """Install by the README's "On your own cluster", in words, for a service that costs nothing; no pod has to run."""
    _crd(kubectl, checkout)
    for what in (
        ("-k", "manifests/base"),
        ("-f", "k8s/eks/namespace.yaml"),
        ("-f", "manifests/samples/text-to-image.yaml"),
    ):
        kubectl("apply", what[0], str(checkout / what[1]))
    yield
    _forget(kubectl)


def _forget(kubectl: Callable[..., str]) -> None:
    """End the pods first, the operator's before those that it would make anew.

    A namespace that finds pods with a grace looks again only when half of that is over, however soon they are gone.
    """
    for namespace in reversed(NAMESPACES):
        kubectl("delete", "deployments", "--all", f"--namespace={namespace}", "--cascade=foreground", "--timeout=180s")
    kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found")
    kubectl("delete", "crd", CRD, "--ignore-not-found")
    kubectl("delete", "clusterrole,clusterrolebinding", "--selector=app.kubernetes.io/part-of=text-to-image-operator")


def _crd(kubectl: Callable[..., str], checkout: Path) -> None:
    kubectl("apply", "--server-side", "-f", str(checkout / "crds"))
    established(kubectl, f"crd/{CRD}")


def _as_written(kubectl: Callable[..., str], *what: str) -> tuple[Any, ...]:
    """Return what a person wrote, and whether it is the very object; its status goes on changing."""
    body = json.loads(kubectl("get", *what, "--output=json"))
    metadata = {key: body["metadata"].get(key) for key in ("uid", "labels", "annotations", "generation")}
    metadata["annotations"] = {
        key: value for key, value in (metadata["annotations"] or {}).items() if "deployment.kubernetes.io" not in key
    }
    return metadata, body.get("spec")


@pytest.mark.timeout(600)  # a namespace goes only when the last of its pods has drained
@pytest.mark.usefixtures("_theirs")
def test_a_named_context_gets_the_operator_and_gives_it_back(
    command: Command, kubectl: Callable[..., str], other_checkout: Path
) -> None:
    before = _there(kubectl)

    result = command("up", HERE, where=other_checkout)
    assert result.returncode == 0, result.stderr
    assert (other_checkout / ".local" / "picture.png").read_bytes().startswith(PNG)
    assert "make test" not in result.stdout

    for words in (("up",), ("down",)):
        refused = command(*words, where=other_checkout)
        assert refused.returncode == 1
        assert "CONTEXT=text-to-image" in refused.stderr
    again = command("up", HERE, where=other_checkout)
    assert again.returncode == 0, again.stderr

    result = command("down", HERE, where=other_checkout)
    assert result.returncode == 0, result.stderr
    left = _there(kubectl) - before
    assert left <= {"namespace/text-to-image"}, "the sample's namespace stays; nothing else does"


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_installed")
def test_an_operator_and_a_service_that_are_there_are_neither_changed_nor_removed(
    command: Command, kubectl: Callable[..., str], other_checkout: Path
) -> None:
    before, there = [_as_written(kubectl, *what) for what in (OPERATOR, SAMPLE)], _there(kubectl)

    result = command("up", HERE, where=other_checkout)
    assert (result.returncode, result.stdout) == (1, "")
    (sentence,) = result.stderr.splitlines()
    assert "TextToImageService text-to-image/text-to-image" in sentence
    assert "nothing was changed there" in sentence
    assert not (other_checkout / ".local" / "kubeconfig").exists(), "it is not this checkout's cluster now"

    result = command("down", HERE, where=other_checkout)
    assert result.returncode == 0, result.stderr
    assert [_as_written(kubectl, *what) for what in (OPERATOR, SAMPLE)] == before
    assert _there(kubectl) == there


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_theirs")
def test_a_crd_and_a_namespace_that_were_there_are_used_and_stay(
    command: Command, kubectl: Callable[..., str], checkout: Path, other_checkout: Path
) -> None:
    _crd(kubectl, checkout)
    kubectl("create", "namespace", "text-to-image-system")
    kubectl("create", "configmap", "note", NOTE[1], "--from-literal=of=somebody")
    shared = (("crd", CRD), ("namespace", "text-to-image-system"), NOTE)
    before = [_as_written(kubectl, *what) for what in shared]

    result = command("up", HERE, where=other_checkout)
    assert result.returncode == 0, result.stderr
    result = command("down", HERE, where=other_checkout)
    assert result.returncode == 0, result.stderr

    assert [_as_written(kubectl, *what) for what in shared] == before
    assert "text-to-image-operator" not in kubectl("get", "deployments,serviceaccounts", NOTE[1], "--output=name")
    _forget(kubectl)


def _there(kubectl: Callable[..., str]) -> set[str]:
    kinds = "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings"
    return set(kubectl("get", kinds, "--output=name").split())
