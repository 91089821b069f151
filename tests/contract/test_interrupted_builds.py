"""A cold `make up` builds for half an hour: who interrupts it loses nothing, and finds nothing half installed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dev.cluster import golang, processes, tools
from dev.cluster.paths import Layout
from dev.cluster.tools import Tool
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

QUICK, SLOW = (Tool(name, name, ".", "example.org/pinned") for name in ("quick", "slow"))
GO_MOD = (
    "module example.org/{}\n\ngo 1.24\n\nrequire example.org/pinned v1.2.3\nreplace example.org/pinned => ./pinned\n"
)
# The second needs a hundred packages more than the first, which Go compiles one after the other.
MAIN = {
    "quick": 'package main\n\nfunc main() { println("quick") }\n',
    "slow": 'package main\n\nimport "encoding/json"\n\nfunc main() { println(json.Valid([]byte("{}"))) }\n',
}
NOTES = 15
# Of the package that it was at when it was killed, Go may have noted a part.
AT_WORK = 4
# What `up` does before there is a cluster.
BUILD = """
import sys
from pathlib import Path
from dev.cluster.paths import Layout
from dev.cluster.workshop import workshop
from tests.contract.test_interrupted_builds import QUICK, SLOW
with workshop(Layout(Path(sys.argv[1]), Path(sys.argv[2]))) as shop:
    programs = shop.programs((QUICK, SLOW))
    print(programs["quick"], programs["slow"])
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path, tmp_path / "cache")
    layout.cache.mkdir()
    for name, source in MAIN.items():
        pinned = layout.tools / name / "pinned"
        pinned.mkdir(parents=True)
        (pinned / "go.mod").write_text("module example.org/pinned\n")
        (pinned.parent / "go.mod").write_text(GO_MOD.format(name))
        (pinned.parent / "main.go").write_text(source)
    return layout


def start(layout: Layout, checkout: Path) -> subprocess.Popen[str]:
    """Begin to build with the toolchain of the real cluster, whose own files stay in the test's folder."""
    cache = Layout.of_this_checkout().cache
    cache.mkdir(parents=True, exist_ok=True)
    go = golang.toolchain("1.24", cache)
    (scratch := layout.checkout / "scratch").mkdir(exist_ok=True)
    path = os.pathsep.join([str(go.parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if name != "GOCACHE"}
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", BUILD, str(layout.checkout), str(layout.cache)],
        cwd=checkout,
        env={**kept, "PATH": path, "TMPDIR": str(scratch), "GOMAXPROCS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def compiled(layout: Layout) -> dict[Path, bytes]:
    """Return Go's notes of what it has compiled, in their order: a note ends with the time at which it was made."""
    notes = {path: path.read_bytes() for path in (layout.cache / "go-build").glob("*/*-a")}
    whole = [(path, note) for path, note in notes.items() if note.endswith(b"\n")]
    return dict(sorted(whole, key=lambda each: int(each[1].split()[-1])))


def at_work(layout: Layout) -> list[processes.Identity]:
    return [each for each in processes.everybody() if str(layout.checkout) in " ".join(each.argv)]


def go_on_until_halfway(layout: Layout, checkout: Path) -> subprocess.Popen[str]:
    """Return a build that has the first program, and compiles for the second."""
    build = start(layout, checkout)
    eventually(tools.binary(layout, QUICK).exists, "the first program to be built", 200)
    before = len(compiled(layout))
    eventually(lambda: len(compiled(layout)) > before + NOTES, "some of the second to be compiled", 60, every=0.05)
    assert build.poll() is None
    return build


@pytest.mark.timeout(900)  # compiles three times, on one processor
def test_a_build_that_was_interrupted_twice_is_finished_and_begins_nothing_anew(layout: Layout, checkout: Path) -> None:
    quick, slow = (tools.binary(layout, tool) for tool in (QUICK, SLOW))

    build = go_on_until_halfway(layout, checkout)
    for each in at_work(layout):  # from outside, as when a CI job is ended
        each.kill()
    build.communicate()
    eventually(lambda: not at_work(layout), "the build to be gone", 10)
    assert not slow.exists()
    (slow.parent / "slow.4711").write_bytes(b"as a linker that was killed leaves it")
    built, first = quick.stat().st_mtime_ns, dict(list(compiled(layout).items())[:-AT_WORK])

    build = go_on_until_halfway(layout, checkout)
    build.send_signal(signal.SIGINT)  # by the person
    build.communicate()
    assert build.returncode != 0
    assert not [each for each in at_work(layout) if "build" in each.argv], "a build outlives the command that wanted it"
    eventually(lambda: not at_work(layout), "its compilers to be gone as well", 10)
    assert list(slow.parent.iterdir()) == []
    second = compiled(layout)
    assert len(second) > len(first) + NOTES
    assert {path: second.get(path) for path in first} == first, "what was compiled is compiled again"

    build = start(layout, checkout)
    printed, complaint = build.communicate()
    assert build.returncode == 0, complaint
    assert printed.split() == [str(quick), str(slow)]
    assert "building quick" not in complaint
    assert quick.stat().st_mtime_ns == built
    assert subprocess.check_output([slow], stderr=subprocess.STDOUT) == b"true\n"  # noqa: S603
    assert list(slow.parent.iterdir()) == [slow]
