"""What the fire drill says before it begins, to who cannot have one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.cluster import ground
from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout
from dev.stack.drill import Drill

if TYPE_CHECKING:
    from pathlib import Path

PODS = ("pod/prometheus-text-to-image-0", "pod/alertmanager-text-to-image-0")


class Cluster(Drill):
    """Has these pods, and lets nothing be made."""

    pods: tuple[str, ...] = ()

    def _kubectl(self, *argv: str, namespaced: bool = False) -> str:
        if argv[:2] == ("get", "pods"):
            assert {"--ignore-not-found", "--namespace=monitoring", "--output=name"} <= {*argv}
            return "".join(f"{pod}\n" for pod in self.pods)
        raise PermissionError(argv)


@pytest.fixture
def drill(tmp_path: Path) -> Cluster:
    layout = Layout(checkout=tmp_path, cache=tmp_path)
    layout.local.mkdir(parents=True)
    ground.begin(layout, ground.EMBEDDED)
    return Cluster(layout, print)


@pytest.mark.parametrize("pods", [(), PODS[:1], PODS[1:]], ids=["no stack", "no Alertmanager", "no Prometheus"])
def test_a_cluster_without_the_stack_is_told_before_anything_is_made(drill: Cluster, pods: tuple[str, ...]) -> None:
    drill.pods = pods
    with pytest.raises(UnfitError, match="brought up with STACK=off") as refusal:
        drill.run()
    missing = [name.removeprefix("pod/") for name in PODS if name not in pods]
    assert all(name in str(refusal.value) for name in missing)
    assert "run `make up`" in str(refusal.value)


def test_with_the_stack_it_begins(drill: Cluster) -> None:
    drill.pods = PODS
    with pytest.raises(PermissionError, match="namespace"):
        drill.run()
