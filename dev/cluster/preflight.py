"""Is this machine fit? Asked before anything is made, so that a refusal leaves nothing behind."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import machine, network, packages, space
from dev.cluster.errors import UnfitError
from dev.cluster.node import CGROUP
from dev.cluster.run import output

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dev.cluster.paths import Layout

GIB = 1 << 30
MEMORY = 2
SOCKET_PATH_LIMIT = 107
LISTEN = "0A"


def check_person() -> None:
    """Ask for root first: nothing else can be asked without it. What else the machine lacks is named at once."""
    if platform.system() != "Linux":
        raise UnfitError("The embedded cluster needs Linux; start Docker for a kind cluster, or use CONTEXT=name.")
    if os.geteuid() != 0:
        absent = packages.missing()
        also = f", which also installs the Debian packages that are missing here ({' '.join(absent)})" if absent else ""
        raise UnfitError(
            f"The embedded cluster needs root: run `sudo make up`{also}, start Docker for a kind cluster, or use "
            "CONTEXT=name."
        )


def check_bare(layout: Layout, wanted: space.Wanted) -> None:
    """Raise the first thing that is not fit, of all that can be asked before any package is installed."""
    check_checkout(layout)
    space.check(layout, wanted)
    check_memory(Path("/proc/meminfo").read_text())
    check_cgroups()
    check_kernel()
    check_ports([Path("/proc/net/tcp").read_text(), Path("/proc/net/tcp6").read_text()])


def check_equipped(layout: Layout) -> None:
    """Raise the first thing that is not fit, of what the installed packages' programs tell."""
    check_overlay(layout.local)
    check_other_nodes(machine.nft_tables())
    check_firewall(output("iptables", "-S", "FORWARD"))
    check_routes(json.loads(output("ip", "-json", "-4", "route")))


def check_checkout(layout: Layout) -> None:
    """Refuse paths that break sockets, which have a limit of their own, or mount options, which have separators."""
    longest = layout.data / "kubelet" / "pod-resources" / "kubelet.sock"
    if len(str(longest)) > SOCKET_PATH_LIMIT or set(",:") & set(str(layout.checkout)):
        raise UnfitError(f"The path {layout.checkout} is too long, or has a comma or a colon; clone to a shorter one.")


def check_memory(meminfo: str) -> None:
    """Ask for what the control plane and a few pods need."""
    available = next(int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemAvailable:"))
    if available * 1024 < MEMORY * GIB:
        raise UnfitError(f"{available >> 10} MiB of memory are free, {MEMORY} GiB are needed; end something first.")


def check_cgroups() -> None:
    """Try what the kubelet will do: cgroups below one of ours, with the controllers that a pod's limits need."""
    try:
        for hierarchy in machine.cgroup_hierarchies():
            enable_controllers(hierarchy)
            ours = hierarchy / CGROUP.strip("/")
            existed = ours.exists()
            ours.mkdir(exist_ok=True)
            if not existed:
                ours.rmdir()
    except OSError as error:
        raise UnfitError(
            f"Cgroups cannot be made here ({error}); run on a whole machine or in a privileged container with its own "
            "cgroup namespace."
        ) from error


def enable_controllers(hierarchy: Path) -> None:
    """Hand the controllers down: in cgroup v2 a child has only those that its parent gives it."""
    handed_down = hierarchy / "cgroup.subtree_control"
    if (hierarchy / "cgroup.controllers").exists() and hierarchy.name != "unified":
        missing = {"cpu", "cpuset", "memory", "pids"} - set(handed_down.read_text().split())
        if missing:
            handed_down.write_text(" ".join(f"+{controller}" for controller in sorted(missing)))


def check_overlay(folder: Path) -> None:
    """Try an overlay where the images will lie: it cannot lie on another overlay, as in most containers."""
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        parts = {name: Path(scratch, name) for name in ("lower", "upper", "work", "merged")}
        for part in parts.values():
            part.mkdir()
        options = f"lowerdir={parts['lower']},upperdir={parts['upper']},workdir={parts['work']}"
        command = ["mount", "-t", "overlay", "overlay", "-o", options, str(parts["merged"])]
        if subprocess.run(command, check=False, capture_output=True).returncode != 0:
            raise UnfitError(f"{folder} is not on a disk that overlay file systems work on; clone to one that is.")
        subprocess.run(["umount", str(parts["merged"])], check=True)


def check_kernel() -> None:
    """Ask for br_netfilter: what pods on one bridge say to a Service must pass the packet filter to be answered."""
    needed = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not needed.exists():
        subprocess.run(["modprobe", "br_netfilter"], check=False, capture_output=True)
    if not needed.exists():
        raise UnfitError("The kernel has no br_netfilter; load that module (`modprobe br_netfilter`) and try again.")


def check_other_nodes(nft_tables: Iterable[str]) -> None:
    """Refuse a second kube-proxy: it would take the first one's table for its own."""
    if "ip kube-proxy" in nft_tables:
        raise UnfitError("Another Kubernetes node runs on this machine (the nft table `ip kube-proxy`); stop it first.")


def check_firewall(rules: str) -> None:
    """Refuse a machine that drops what it forwards, as Docker leaves it: pods would not reach each other."""
    if "-P FORWARD DROP" in rules and f" {network.BRIDGE} " not in rules:
        allow = " && ".join(f"iptables -I FORWARD -{way} {network.BRIDGE} -j ACCEPT" for way in "io")
        raise UnfitError(f"This machine drops what it forwards, pods' traffic too; allow theirs: `{allow}`.")


def check_routes(routes: Iterable[dict[str, str]]) -> None:
    """Refuse when the cluster's addresses lead elsewhere already."""
    ours = [ipaddress.ip_network(cidr) for cidr in (network.POD_CIDR, network.SERVICE_CIDR)]
    for route in routes:
        if route["dst"] == "default" or route.get("dev") == network.BRIDGE:
            continue
        taken = ipaddress.ip_network(route["dst"], strict=False)
        if any(taken.overlaps(cidr) for cidr in ours):
            raise UnfitError(
                f"The network {taken} (on {route.get('dev')}) overlaps the cluster's; disconnect it first."
            )


def check_ports(tables: Iterable[str]) -> None:
    """Refuse a port taken on every address; no other listener is in the way of addresses that are yet to be made."""
    for table in tables:
        for line in table.splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address, port = local.split(":")
            if state == LISTEN and set(address) == {"0"} and int(port, 16) in network.PORTS:
                raise UnfitError(f"Port {int(port, 16)} is in use on every address; end what listens (`ss -ltnp`).")
