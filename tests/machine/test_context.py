"""A person's own cluster, which the embedded one stands for: it is used by name, and left as it was."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster.paths import Layout
from tests.machine.conftest import Command

PNG = b"\x89PNG\r\n\x1a\n"


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
    kubectl("delete", "namespace", "text-to-image", "text-to-image-system", "--ignore-not-found")
    kubectl("delete", "crd", "texttoimageservices.texttoimage.dev", "--ignore-not-found")
    operator, service = (line.split()[0] for line in command("images").stdout.splitlines())
    monkeypatch.setenv("T2I_OPERATOR_IMAGE", operator)
    monkeypatch.setenv("T2I_SERVICE_IMAGE", service)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))


@pytest.mark.timeout(600)  # a namespace goes only when the last of its pods has drained
@pytest.mark.usefixtures("_theirs")
def test_a_named_context_gets_the_operator_and_gives_it_back(
    command: Command, kubectl: Callable[..., str], other_checkout: Path
) -> None:
    namespaces = kubectl("get", "namespaces", "--output=name")

    result = command("up", "--context=text-to-image", where=other_checkout)
    assert result.returncode == 0, result.stderr
    assert (other_checkout / ".local" / "picture.png").read_bytes().startswith(PNG)

    result = command("down", "--context=text-to-image", where=other_checkout)
    assert result.returncode == 0, result.stderr
    assert "texttoimage" not in kubectl("get", "crds", "--output=name")
    left = set(kubectl("get", "namespaces", "--output=name").split()) - set(namespaces.split())
    assert left <= {"namespace/text-to-image"}, "the person's namespace stays; the operator's does not"
