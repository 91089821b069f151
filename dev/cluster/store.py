"""containerd's store of the images that pods run from."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.node import CONTAINERD_SOCKET

if TYPE_CHECKING:
    from pathlib import Path

# A label on each image: the archive it came from, which is named by the digest of what went in.
ORIGIN = "text-to-image/archive"


@dataclass(frozen=True)
class Store:
    """The kubelet's namespace of it, reached by ctr."""

    ctr: Path

    def answers(self) -> bool:
        """Tell whether containerd serves yet."""
        return self._run("list", "--quiet").returncode == 0

    def load(self, reference: str, archive: Path) -> bool:
        """Import it unless it came from this very archive; True when another image had the name until now."""
        if self._lists(f'name=="{reference}",labels."{ORIGIN}"=="{archive.name}"'):
            return False
        had = self._lists(f'name=="{reference}"')
        imported = self._run("import", f"--label={ORIGIN}={archive.name}", str(archive))
        if imported.returncode != 0:
            raise UnfitError(f"containerd does not take the image {reference}: {imported.stderr.strip()}")
        return had

    def tag(self, reference: str, name: str) -> None:
        """Give an image one more name."""
        tagged = self._run("tag", "--force", reference, name)
        if tagged.returncode != 0:
            raise UnfitError(f"containerd does not call {reference} {name}: {tagged.stderr.strip()}")

    def _lists(self, wanted: str) -> bool:
        return self._run("list", "--quiet", wanted).stdout.strip() != ""

    def _run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.ctr), f"--address={CONTAINERD_SOCKET}", "--namespace=k8s.io", "images", *argv]
        return subprocess.run(command, check=False, text=True, capture_output=True)
