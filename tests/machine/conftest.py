"""These tests end and restart the cluster that the other suites share, so they come last and leave it as it was."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.cluster import machine
from dev.cluster.paths import Layout

Command = Callable[..., subprocess.CompletedProcess[str]]
UP = ("up", "--on=embedded")
BARE = (*UP, "--no-app")


@pytest.fixture
def command(checkout: Path) -> Command:
    """Return `python -m dev.cluster`, of this checkout unless another is named."""

    def run(*argv: str, where: Path = checkout) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "dev.cluster", *argv]
        return subprocess.run(program, cwd=where, text=True, capture_output=True, check=False)  # noqa: S603

    return run


@pytest.fixture
def up(cluster: Layout, command: Command) -> Callable[[], None]:
    """Return `up --no-app`, which must succeed."""

    def run() -> None:
        result = command(*BARE)
        assert result.returncode == 0, result.stderr

    return run


@pytest.fixture(scope="package", autouse=True)
def _leave_it_as_it_was(cluster: Layout, kubectl: Callable[..., str]) -> Iterator[None]:
    there = kubectl("get", "namespaces", "--output=name").split()
    parts = {"--no-app": "namespace/text-to-image-system", "--no-stack": "namespace/monitoring"}
    left_out = [option for option, namespace in parts.items() if namespace not in there]
    yield
    command = [sys.executable, "-m", "dev.cluster", *UP, *left_out]
    subprocess.run(command, cwd=cluster.checkout, check=True)  # noqa: S603


@pytest.fixture
def other_checkout(checkout: Path) -> Iterator[Path]:
    """Return a second clone, as far as the cluster is concerned; pytest's own folders are too deep for its sockets."""
    with tempfile.TemporaryDirectory(prefix="t2i-", ignore_cleanup_errors=True) as folder:
        for part in ("dev", "crds", "manifests", "k8s"):
            shutil.copytree(checkout / part, Path(folder, part))
        shutil.copy(checkout / "pyproject.toml", folder)
        yield Path(folder)


@pytest.fixture
def held() -> machine.Machine:
    found = machine.read()
    assert found is not None
    return found
