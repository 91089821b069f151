"""The tests drain nodes and delete namespaces: on a cluster that is not the embedded one they do not even begin."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dev.cluster import ground
from dev.cluster.paths import Layout

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: theirs
contexts: [{{name: theirs, context: {{cluster: theirs, user: ""}}}}]
clusters: [{{name: theirs, cluster: {{server: "http://{}:{}"}}}}]
"""
TESTS = """
def test_of_a_cluster(kubectl):
    kubectl("delete", "namespace", "everything")

def test_in_a_namespace(namespace):
    pass
"""


@pytest.fixture
def layout(tmp_path: Path, checkout: Path) -> Layout:
    """Return a checkout with two tests, as far as its conftest is concerned."""
    shutil.copytree(checkout / "dev", tmp_path / "dev", ignore=shutil.ignore_patterns("tools", "__pycache__"))
    shutil.copy(checkout / "pyproject.toml", tmp_path)
    (tmp_path / "tests" / "cluster").mkdir(parents=True)
    for module in (checkout / "tests").glob("*.py"):
        shutil.copy(module, tmp_path / "tests")
    (tmp_path / "tests" / "cluster" / "test_them.py").write_text(TESTS)
    (tmp_path / ".local").mkdir()
    return Layout(tmp_path, tmp_path / "cache")


@pytest.mark.parametrize(("begun", "workers"), [(ground.KIND, 0), ("context theirs", 1)])
def test_another_cluster_is_not_asked_a_single_thing(layout: Layout, begun: str, workers: int) -> None:
    """Nor by a worker of xdist's, which brings no cluster up and so is not refused one."""
    ground.begin(layout, begun)
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        layout.kubeconfig.write_text(KUBECONFIG.format(*theirs.getsockname()))
        done = run(layout, workers)
        theirs.setblocking(False)
        with pytest.raises(BlockingIOError):
            theirs.accept()
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "make down" in said
    assert "passed" not in said


def run(layout: Layout, workers: int) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:schemathesis",
        f"--numprocesses={workers}",
        "tests/cluster",
    ]
    return subprocess.run(command, cwd=layout.checkout, env=environment, text=True, capture_output=True, timeout=120)  # noqa: S603, PLW1510
