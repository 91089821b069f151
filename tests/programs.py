"""Debian's programs that tests need: a machine that has never seen the project gets them here."""

from __future__ import annotations

import os
import shutil
import subprocess

from dev.cluster.locks import exclusive
from dev.cluster.paths import Layout


def installed(program: str) -> str:
    """Return where the program is; install the package of the same name when it is missing."""
    with exclusive(Layout.of_this_checkout().local / "packages.lock"):
        if not shutil.which(program):
            _install(program)
    found = shutil.which(program)
    assert found, f"the package {program} brought no program of its name"
    return found


def _install(package: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", package]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, f"install {package} and try again; `{' '.join(command)}` said: {done.stderr}"
