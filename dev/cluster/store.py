"""containerd's store of the images that pods run from."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.node import CONTAINERD_SOCKET

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Store:
    """The kubelet's namespace of it, reached by ctr."""

    ctr: Path

    def answers(self) -> bool:
        """Tell whether containerd serves yet."""
        return self._run("list", "--quiet").returncode == 0

    def load(self, reference: str, archive: Path) -> None:
        """Import it unless it is there."""
        listed = self._run("list", "--quiet")
        if reference not in listed.stdout.split():
            imported = self._run("import", str(archive))
            if imported.returncode != 0:
                raise UnfitError(f"containerd does not take the image {reference}: {imported.stderr.strip()}")

    def tag(self, reference: str, name: str) -> None:
        """Give an image one more name."""
        tagged = self._run("tag", "--force", reference, name)
        if tagged.returncode != 0:
            raise UnfitError(f"containerd does not call {reference} {name}: {tagged.stderr.strip()}")

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.ctr), f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", *argv]
        return subprocess.run(command, check=False, text=True, capture_output=True)
