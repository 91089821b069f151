"""Debian's Prometheus and Alertmanager, unpacked rather than installed: no service starts, and no root is needed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from dev.cluster.locks import exclusive

UNPACKED = Path(__file__).parents[2] / ".local" / "debian"
PACKAGES = {name: name for name in ("prometheus", "prometheus-alertmanager")} | {"promtool": "prometheus"}


class ProgramMissing(Exception):  # noqa: N818 - the sentence is for a person
    """A program that the machine does not have and that could not be had from its package mirror."""


def program(name: str) -> Path:
    """Return the machine's own program, else Debian's, fetched once into `.local/debian`."""
    if found := shutil.which(name):
        return Path(found)
    unpacked = UNPACKED / "usr" / "bin" / name
    with exclusive(UNPACKED.parent / "packages.lock"):
        if not unpacked.exists():
            _unpack(PACKAGES[name])
    return unpacked


def alertmanager() -> list[str | Path]:
    """Return the command of Alertmanager.

    Debian's looks for its templates where the package would have installed them; one that is only unpacked gets to see
    them there by a mount of its own, which needs no root where the kernel lets people have namespaces.
    """
    found = program("prometheus-alertmanager")
    if not found.is_relative_to(UNPACKED):
        return [found]
    templates = UNPACKED / "usr" / "share"
    seen = f'mount --bind \'{templates}\' /usr/share && exec "$0" "$@"'
    return ["unshare", "--mount", "--map-root-user", "sh", "-c", seen, found]


def _unpack(package: str) -> None:
    UNPACKED.mkdir(parents=True, exist_ok=True)
    try:
        if not any(Path("/var/lib/apt/lists").glob("*Packages*")):
            subprocess.run(["apt-get", "update"], check=True, capture_output=True, text=True)
        subprocess.run(["apt-get", "download", package], cwd=UNPACKED, check=True, capture_output=True, text=True)
        archive = next(UNPACKED.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", archive, UNPACKED], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", "") or error
        raise ProgramMissing(
            f"{package} is not installed and could not be downloaded ({reason}); apt-get update && apt-get install"
            f" --no-install-recommends {package}"
        ) from error
