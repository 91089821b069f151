"""How a machine looks to somebody who wants nothing of a cluster left on it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import machine
from dev.cluster.paths import MACHINE, Layout
from dev.cluster.processes import identify


@dataclass(frozen=True)
class Snapshot:
    """Two of them are equal when what ran between them left nothing."""

    mounts: frozenset[str]
    links: frozenset[str]
    namespaces: frozenset[str]
    filters: tuple[str, ...]
    routes: frozenset[str]
    cgroups: frozenset[str]
    processes: frozenset[str]
    sysctls: tuple[str, ...]
    paths: frozenset[str]


def take(layout: Layout) -> Snapshot:
    return Snapshot(
        mounts=frozenset(line.split(maxsplit=4)[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
        links=frozenset(link["ifname"] for link in json.loads(_output("ip", "-json", "link"))),
        namespaces=frozenset(_output("lsns", "--noheadings", "--type", "net", "--output", "NS").split()),
        # Without what rules count: those of others go on counting.
        filters=tuple(_output("nft", "--stateless", "list", "ruleset").splitlines()),
        routes=frozenset(_output("ip", "route").splitlines()),
        cgroups=frozenset(str(path) for path in Path("/sys/fs/cgroup").rglob("*text-to-image*")),
        processes=frozenset(_processes(layout)),
        sysctls=tuple((machine.SYSCTL / name).read_text() for name in machine.SYSCTLS),
        paths=frozenset(path for path in (*machine.BUILT_IN_PATHS, str(MACHINE)) if Path(path).exists()),
    )


def _processes(layout: Layout) -> list[str]:
    """Return every process that runs a binary from our cache, or was told of our folders."""
    told_of = (str(layout.cache / "bin"), str(MACHINE), "/text-to-image-operator/")
    found = [identify(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")]
    return [str(each) for each in found if each and any(word in " ".join(each.argv) for word in told_of)]


def _output(*argv: str) -> str:
    return subprocess.run(argv, check=True, text=True, capture_output=True).stdout  # noqa: S603
