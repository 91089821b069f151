"""Debian's programs that tests need: a machine that has never seen the project gets them here."""

from __future__ import annotations

import os
import shutil
import subprocess


def installed(program: str) -> str:
    """Return where the program is; install the package of the same name when it is missing."""
    if not shutil.which(program):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", program]):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
            assert done.returncode == 0, f"install {program} and try again; `{' '.join(command)}` said: {done.stderr}"
    found = shutil.which(program)
    assert found, f"the package {program} brought no program of its name"
    return found
