"""What the cluster borrows from the machine: who holds it, and how it was before."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.cluster.errors import UnfitError
from dev.cluster.paths import MACHINE, Layout, write
from dev.cluster.processes import Identity, identify, records
from dev.cluster.run import output

LOCK = MACHINE / "lock"
RECORD = MACHINE / "cluster.json"
SYSCTL = Path("/proc/sys")

# Routing between pods needs these.
NEEDED_SYSCTLS = {"net/ipv4/ip_forward": "1", "net/bridge/bridge-nf-call-iptables": "1"}
# The kubelet sets these to what it likes.
CHANGED_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
SYSCTLS = (*NEEDED_SYSCTLS, *CHANGED_SYSCTLS)
# Paths built into the kubelet, containerd and the CNI library. Those that were not there before are removed again.
BUILT_IN_PATHS = ("/var/lib/kubelet", "/var/log/containers", "/var/lib/cni", "/run/containerd", "/etc/cni")


@dataclass(frozen=True)
class Machine:
    """Who runs a cluster here, and how the machine was before it."""

    checkout: str
    claimant: Identity
    sysctls: dict[str, str]
    absent: list[str]
    tables: list[str]

    def alive(self) -> bool:
        """Something of it still runs, and the checkout that could end it still exists."""
        processes = [self.claimant, *(record.identity for record in records().values())]
        return Path(self.checkout, "dev", "cluster").is_dir() and any(process.alive() for process in processes)


def read() -> Machine | None:
    """Return who was the last to claim this machine, alive or not."""
    try:
        content = json.loads(RECORD.read_text())
    except FileNotFoundError:
        return None
    return Machine(**{**content, "claimant": Identity(**content["claimant"])})


def claim(layout: Layout) -> None:
    """Write down that the machine is this checkout's, unless it already says so."""
    held = read()
    if held is None:
        held = Machine(
            checkout=str(layout.checkout),
            claimant=_myself(),
            sysctls={name: (SYSCTL / name).read_text().strip() for name in SYSCTLS},
            absent=[path for path in BUILT_IN_PATHS if not Path(path).exists()],
            tables=nft_tables(),
        )
    write(RECORD, json.dumps(asdict(held) | {"claimant": asdict(_myself())}, indent=1))


def apply_sysctls(values: dict[str, str]) -> None:
    """Write only what differs, and only what this kernel has."""
    for name, value in values.items():
        path = SYSCTL / name
        if path.exists() and path.read_text().strip() != value:
            path.write_text(value)


def nft_tables() -> list[str]:
    """As `family name`, which is how nft wants them back."""
    return [line.removeprefix("table ") for line in output("nft", "list", "tables").splitlines()]


def cgroup_hierarchies() -> list[Path]:
    """Return the one of cgroup v2, or every controller's of v1."""
    mount = Path("/sys/fs/cgroup")
    if (mount / "cgroup.controllers").exists():
        return [mount]
    return sorted(path for path in mount.iterdir() if path.is_dir() and not path.is_symlink())


def refuse_other(layout: Layout) -> None:
    """One machine, one cluster: its addresses, its bridge and its sockets are the machine's."""
    held = read()
    if held and held.checkout != str(layout.checkout) and held.alive():
        raise UnfitError(
            f"The cluster of another checkout, {held.checkout}, is alive on this machine; run `make down` there first."
        )


def _myself() -> Identity:
    identity = identify(os.getpid())
    if identity is None:
        raise RuntimeError("/proc does not show this very process")
    return identity
