"""The distribution's packages that the cluster runs on."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.run import system_path

if TYPE_CHECKING:
    from dev.cluster.jobs import Jobs

# What is looked for (a program, or a file by its full path), and the Debian package that brings it.
NEEDED = {
    "/bin/busybox": "busybox-static",
    "/etc/ssl/certs/ca-certificates.crt": "ca-certificates",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/share/keyrings/debian-archive-keyring.gpg": "debian-archive-keyring",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "ip": "iproute2",
    "iptables": "iptables",
    "mount": "mount",
    "nft": "nftables",
    "runc": "runc",
}


def missing(needed: dict[str, str] = NEEDED) -> list[str]:
    """Return the packages that would bring what is not here."""
    return sorted({package for thing, package in needed.items() if not _found(thing)})


def install(packages: list[str], log: Path, jobs: Jobs) -> None:
    """Install them, or name them to a person whose machine has another package manager."""
    named = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise UnfitError(f"Install what these Debian packages bring, then try again: {named}.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", *packages]):
        if not jobs.run(command, log, env=environment):
            raise UnfitError(f"`{' '.join(command)}` failed, {log} says why; install {named} and try again.")


def _found(thing: str) -> bool:
    if thing.startswith("/"):
        return Path(thing).exists()
    return shutil.which(thing, path=system_path()) is not None
