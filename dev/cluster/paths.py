"""Where things live: what belongs to this checkout, to this user, and to the whole machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

# A machine carries one embedded cluster at a time: sockets (whose paths must be short), the record of who runs it,
# and what has to be undone live here, so that any checkout can tell a living cluster from a dead one's leftovers.
MACHINE = Path("/run/text-to-image-operator")


@dataclass(frozen=True)
class Layout:
    """Every path of one checkout's cluster."""

    checkout: Path
    cache: Path

    @property
    def local(self) -> Path:
        """Return the git-ignored folder for all that a checkout keeps."""
        return self.checkout / ".local"

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.local / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """Return the log of writes, one JSON object a line."""
        return self.local / "audit.log"

    @property
    def logs(self) -> Path:
        """Return where each component and each build has its log."""
        return self.local / "logs"

    @property
    def pki(self) -> Path:
        """Return where the cluster's keys and certificates are."""
        return self.local / "pki"

    @property
    def etc(self) -> Path:
        """Return where the components' generated configuration is."""
        return self.local / "etc"

    @property
    def data(self) -> Path:
        """Return what the components write: etcd, containerd's content and snapshots, the kubelet's pods."""
        return self.local / "data"

    @property
    def tools(self) -> Path:
        """Return where the Go programs are pinned."""
        return self.checkout / "dev" / "tools"

    @property
    def kubectl(self) -> Path:
        """Return the kubectl that this project pins, whatever the machine has."""
        return Path(sys.executable).parent / "kubectl"

    @staticmethod
    def of_this_checkout() -> Layout:
        """Return the layout of the checkout that this file is in."""
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        return Layout(checkout=Path(__file__).resolve().parents[2], cache=cache / "text-to-image-operator")


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write whole or not at all, so that an interruption never leaves half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.touch(mode=mode)
    unfinished.chmod(mode)
    unfinished.write_text(text)
    unfinished.replace(path)
