"""The machine is given back as it was, by `down` and also after somebody killed the cluster from outside."""

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster import catalog, ground, machine, network, processes
from dev.cluster.mounts import mounts_below
from dev.cluster.paths import MACHINE, Layout
from tests.machine.conftest import BARE, UP, Command
from tests.machine.snapshot import Snapshot, take
from tests.waiting import eventually


@pytest.fixture
def empty(command: Command, cluster: Layout) -> Snapshot:
    """Return how the machine looks without a cluster."""
    assert command("down").returncode == 0
    return take(cluster)


@pytest.fixture
def busy(empty: Snapshot, up: Callable[[], None], kubectl: Callable[..., str]) -> None:
    """Run a pod with all that leaves traces: a Service, mounts, a port of the machine, a process that will not end."""
    up()
    container = {
        "name": "main",
        "image": catalog.busybox().reference,
        "imagePullPolicy": "Never",
        "command": ["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
        "ports": [{"containerPort": 8080, "hostPort": 18080}],
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
    }
    volumes = [{"name": "scratch", "emptyDir": {"medium": "Memory"}}]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stubborn", "labels": {"app": "stubborn"}},
        "spec": {"containers": [container], "volumes": volumes},
    }
    kubectl("create", "--filename=-", input=json.dumps(pod))
    kubectl("create", "service", "clusterip", "stubborn", "--tcp=80:8080")
    kubectl("wait", "--for=condition=Ready", "pod/stubborn", "--timeout=60s")
    now = take(Layout.of_this_checkout())
    unseen = {part for part in vars(empty) if getattr(now, part) == getattr(empty, part)}
    # A machine may have had the settings that a node wants before.
    assert unseen <= {"sysctls"}, "a running cluster does not show in these, so they prove nothing"


def kill_from_outside() -> None:
    """Kill every daemon and leave the pods' processes, mounts and links as they are."""
    for record in processes.records().values():
        record.identity.kill()
    eventually(lambda: not any(each.identity.alive() for each in processes.records().values()), "them to be gone", 10)


@pytest.mark.usefixtures("busy")
def test_down_leaves_nothing(command: Command, cluster: Layout, empty: Snapshot) -> None:
    assert command("down").returncode == 0
    _wait_until(cluster, empty)
    left = [path for path in (cluster.kubeconfig, cluster.data, cluster.etc, cluster.pki) if path.exists()]
    assert not left


@pytest.mark.usefixtures("busy")
def test_up_after_a_kill_from_outside_clears_away_and_starts(
    command: Command, cluster: Layout, kubectl: Callable[..., str]
) -> None:
    kill_from_outside()
    left = mounts_below(MACHINE, cluster.data)
    assert left, "a killed cluster leaves mounts, or there is nothing to show"
    result = command(*BARE)
    assert result.returncode == 0, result.stderr
    assert "Clearing away" in result.stderr
    kubectl("wait", "--for=condition=Ready", "node", "--all", "--timeout=10s")
    assert kubectl("get", "pods", "--namespace=default", "--output=name") == ""


@pytest.mark.usefixtures("busy")
def test_down_after_a_kill_from_outside_leaves_nothing(command: Command, cluster: Layout, empty: Snapshot) -> None:
    kill_from_outside()
    assert command("down").returncode == 0
    _wait_until(cluster, empty)


@pytest.mark.usefixtures("busy")
def test_down_finds_a_daemon_that_nobody_could_write_down(command: Command, cluster: Layout, empty: Snapshot) -> None:
    (processes.RECORDS / "kube-apiserver.json").unlink()
    assert command("down").returncode == 0
    _wait_until(cluster, empty)


@pytest.mark.usefixtures("busy")
def test_another_checkout_clears_a_dead_cluster_away(
    command: Command, cluster: Layout, empty: Snapshot, other_checkout: Path
) -> None:
    kill_from_outside()
    result = command("down", where=other_checkout)
    assert result.returncode == 0, result.stderr
    _wait_until(cluster, empty)


def test_a_cluster_whose_checkout_was_deleted_is_cleared_away(
    command: Command, empty: Snapshot, other_checkout: Path, cluster: Layout
) -> None:
    assert command(*BARE, where=other_checkout).returncode == 0
    orphans = processes.records()
    # As far as `rm -r` gets: the rest is mounted, or written by what still runs.
    shutil.rmtree(other_checkout / "dev")
    assert all(each.identity.alive() for each in orphans.values())
    result = command("down")
    assert result.returncode == 0, result.stderr
    assert machine.read() is None
    _wait_until(cluster, empty)


@pytest.mark.parametrize("port", [network.API_PORT, network.ETCD_PORT])
def test_an_up_that_is_refused_changes_nothing(command: Command, cluster: Layout, empty: Snapshot, port: int) -> None:
    packages = _packages()
    with socket.create_server(("", port)):
        result = command(*UP)
    assert (result.returncode, result.stdout) == (1, "")
    (sentence,) = result.stderr.splitlines()
    assert f"Port {port} is in use" in sentence
    assert take(cluster) == empty, _difference(take(cluster), empty)
    assert _packages() == packages
    assert not ground.begun(cluster)


def _wait_until(cluster: Layout, empty: Snapshot) -> None:
    def as_before() -> bool:
        now = take(cluster)
        assert now == empty, _difference(now, empty)
        return True

    eventually(as_before, "the machine to be as before", 30)


def _packages() -> str:
    """Return what apt has installed, on a machine that has it."""
    status = Path("/var/lib/dpkg/status")
    return status.read_text() if status.exists() else ""


def _difference(now: Snapshot, before: Snapshot) -> str:
    pairs = ((name, getattr(now, name), getattr(before, name)) for name in vars(before))
    return "; ".join(f"{name}: {after} instead of {earlier}" for name, after, earlier in pairs if after != earlier)
