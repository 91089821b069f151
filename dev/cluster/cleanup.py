"""Give the machine back: end what we started, and remove every mount, bridge, table, cgroup and folder of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster import machine, network, portmap, processes
from dev.cluster.errors import UnfitError
from dev.cluster.mounts import unmount_below
from dev.cluster.node import CGROUP, CNI_NETWORK, CONTAINERD_SOCKET
from dev.cluster.paths import MACHINE
from dev.cluster.processes import Identity, identify
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# The kubelet first, or it would start again what is being ended; whatever serves others after those it serves.
DAEMONS = (
    "kubelet",
    "kube-proxy",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "containerd",
)
# Nothing of it is kept, so nothing has to be written down first.
STOP_GRACE = 0.0
KUBE_PROXY_TABLES = ("ip kube-proxy", "ip6 kube-proxy")


def clear(held: machine.Machine) -> None:
    """Undo everything; safe to repeat, for whatever is already gone is passed over."""
    state = Path(held.checkout) / ".local"
    for name in DAEMONS:
        processes.stop(name, grace=STOP_GRACE)
    kill_all(lambda: [*_unrecorded(state), *_shims(), *_in_cgroups()])
    unmount_below(MACHINE, state / "data")
    remove_network(held)
    remove_cgroups()
    machine.apply_sysctls(held.sysctls)
    for path in held.absent:
        shutil.rmtree(path, ignore_errors=True)
    _remove_traces_in_shared_folders()
    remove_state(state)
    shutil.rmtree(MACHINE)


def remove_state(state: Path) -> None:
    """Remove what a cluster kept in its checkout; its logs stay for whoever wants to know what happened."""
    for name in ("data", "etc", "pki"):
        shutil.rmtree(state / name, ignore_errors=True)
    for name in ("kubeconfig", "ground"):
        (state / name).unlink(missing_ok=True)


def turn_logs(logs: Path) -> None:
    """Begin new logs, and keep those of the cluster before, which somebody may still want to read."""
    shutil.rmtree(logs / "pods", ignore_errors=True)
    for log in [*logs.glob("*.log"), *logs.parent.glob("audit*.log")]:
        log.replace(log.with_name(f"{log.name}.before"))


def kill_all(find: Callable[[], Iterable[Identity]]) -> None:
    """Kill what is found until nothing is: a shim that was just starting its container shows up the next time."""

    def none_left() -> bool:
        found = list(find())
        for process in found:
            process.kill()
        return not found

    if not until(none_left, seconds=20):
        raise UnfitError(f"Processes {[process.pid for process in find()]} do not end; restart the machine.")


def _unrecorded(state: Path) -> Iterator[Identity]:
    """Yield daemons whose starter was killed before it could write them down: they were told of this very folder."""
    for process in processes.everybody():
        told = any(f"{state}/" in argument for argument in process.argv)
        if told and Path(process.argv[0]).name in DAEMONS:
            yield process


def _in_cgroups() -> Iterator[Identity]:
    """Yield the containers' processes, known by our cgroup."""
    for folder in _cgroups():
        with suppress(OSError):  # the cgroup of a container that has just ended
            for pid in (folder / "cgroup.procs").read_text().split():
                if identity := identify(int(pid)):
                    yield identity


def _shims() -> Iterator[Identity]:
    """Yield the containers' shims, known by our containerd's socket."""
    for process in processes.everybody():
        if process.argv[0].endswith("containerd-shim-runc-v2") and str(CONTAINERD_SOCKET) in process.argv:
            yield process


def remove_network(held: machine.Machine) -> None:
    """Remove the bridge, and the tables of nft that were not there before us."""
    _succeeds("ip", "link", "delete", network.BRIDGE)
    portmap.remove(CNI_NETWORK, held.tables)
    created = set(machine.nft_tables()) - set(held.tables)
    for table in created & {*KUBE_PROXY_TABLES, f"ip {network.NFT_TABLE}"}:
        _succeeds("nft", "delete", "table", *table.split())


def remove_cgroups() -> None:
    """Begin with the deepest; the kernel may take a moment to see that a cgroup is empty."""
    for folder in sorted(_cgroups(), key=lambda path: len(path.parts), reverse=True):
        if not until(lambda folder=folder: _gone(folder.rmdir), seconds=10):  # type: ignore[misc]
            raise UnfitError(f"The cgroup {folder} is still in use; end the processes in it, then `make down` again.")


def _cgroups() -> list[Path]:
    """Our parent cgroup and all below it, in the one hierarchy of cgroup v2 or in every one of v1."""
    ours = [hierarchy / CGROUP.strip("/") for hierarchy in machine.cgroup_hierarchies()]
    return [Path(folder) for root in ours for folder, _, _ in os.walk(root)]


def _remove_traces_in_shared_folders() -> None:
    """Folders that were there before us keep what is not ours."""
    for result in Path("/var/lib/cni/results").glob(f"{CNI_NETWORK}-*"):
        result.unlink()
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and not link.exists():
            link.unlink()


def _gone(remove: Callable[[], None]) -> bool:
    try:
        remove()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
