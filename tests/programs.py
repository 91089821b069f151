"""Programs that only tests need: a machine that has never seen the project gets them here.

As a module it builds those of Go, which a run of every test lets go on beside the first ones.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from typing import TYPE_CHECKING

from dev.cluster.locks import exclusive
from dev.cluster.paths import Layout
from dev.cluster.tools import Tool
from dev.cluster.workshop import workshop

if TYPE_CHECKING:
    from pathlib import Path

HELM = Tool("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4")
OPENTELEMETRY = "github.com/open-telemetry/opentelemetry-operator"
OPENTELEMETRY_OPERATOR = Tool("opentelemetry-operator", "opentelemetry-operator", OPENTELEMETRY, OPENTELEMETRY)


def built(*tools: Tool) -> list[Path]:
    """Return where they are, built in this order where they are missing: each takes minutes."""
    with workshop(Layout.of_this_checkout()) as shop:
        programs = shop.programs(tools)
        return [programs[tool.name] for tool in tools]


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


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    built(HELM, OPENTELEMETRY_OPERATOR)
