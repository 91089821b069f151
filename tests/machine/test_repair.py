"""`up` mends what died, waits its turn, and makes way for nobody."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.cluster import processes
from dev.cluster.locks import exclusive
from dev.cluster.paths import Layout
from tests.machine.conftest import BARE, UP, Command
from tests.waiting import eventually

DAEMONS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
)


@pytest.mark.parametrize("name", DAEMONS)
def test_what_was_killed_runs_again_and_nothing_else_was_touched(
    up: Callable[[], None], kubectl: Callable[..., str], name: str
) -> None:
    up()
    before = processes.records()
    assert set(before) == set(DAEMONS)
    before[name].identity.kill()
    eventually(lambda: not before[name].identity.alive(), "it to be gone", 10)
    up()
    after = processes.records()
    assert after[name].identity.alive()
    assert {other for other in DAEMONS if after[other] != before[other]} == {name}
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_pods_survive_the_death_of_containerd_and_kubelet(
    up: Callable[[], None], kubectl: Callable[..., str], cluster: Layout
) -> None:
    up()
    pods = (
        "get",
        "pods",
        "--namespace=kube-system",
        "--output=jsonpath={.items[*].status.containerStatuses[*].containerID}",
    )
    before = kubectl(*pods)
    assert before
    for name in ("kubelet", "containerd"):
        processes.records()[name].identity.kill()
    up()
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--namespace=kube-system", "--timeout=60s")
    assert kubectl(*pods) == before


def test_a_second_up_of_the_same_checkout_waits_and_says_so(cluster: Layout, checkout: Path) -> None:
    program = [sys.executable, "-m", "dev.cluster", *BARE]
    with exclusive(cluster.local / "lock"):
        second = subprocess.Popen(program, cwd=checkout, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603
        assert second.stderr
        assert "waiting for it" in second.stderr.readline()
        assert second.poll() is None
    assert second.wait(timeout=120) == 0
    second.communicate()


@pytest.mark.parametrize("words", [UP, ("down",)])
def test_another_checkout_is_refused_and_told_where_the_cluster_is(
    up: Callable[[], None], command: Command, other_checkout: Path, checkout: Path, words: tuple[str, ...]
) -> None:
    up()
    before = processes.records()
    result = command(*words, where=other_checkout)
    assert result.returncode == 1
    (sentence,) = result.stderr.splitlines()
    assert str(checkout) in sentence
    assert "make down" in sentence
    assert processes.records() == before


def test_an_interrupted_up_leaves_nothing_half_installed(command: Command, cluster: Layout, checkout: Path) -> None:
    assert command("down").returncode == 0
    program = [sys.executable, "-m", "dev.cluster", *BARE]
    first = subprocess.Popen(program, cwd=checkout, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603
    eventually(lambda: "etcd" in processes.records(), "it to have begun with the cluster", 60)
    os.kill(first.pid, signal.SIGINT)
    assert first.wait(timeout=60) != 0
    assert processes.records() == {}
