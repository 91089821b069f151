"""A disk that would fill midway is refused before, by what is still to be built; one that does fill is told as such."""

import errno
import os
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from dev.cluster import __main__, space, tools
from dev.cluster.errors import UnfitError
from dev.cluster.jobs import Jobs
from dev.cluster.paths import Layout
from dev.stack import __main__ as stack
from dev.stack.catalog import JAEGER

ALL = space.wanted(app=True, stack=True)
WITHOUT_STACK = space.wanted(app=True, stack=False)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a checkout with an empty cache."""
    (tmp_path / "dev").symlink_to(Layout.of_this_checkout().checkout / "dev")
    return Layout(tmp_path, tmp_path / "cache")


def cached(layout: Layout, what: space.Wanted) -> None:
    places = [tools.binary(layout, tool) for tool in what.programs]
    places += [layout.cache / "images" / f"{name}-0123456789ab.tar" for name in what.images]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return the disk's free space, in bytes, to be set."""
    disk = SimpleNamespace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    return disk


def test_a_start_from_nothing_needs_what_the_readme_says(layout: Layout, free: SimpleNamespace) -> None:
    readme = (Layout.of_this_checkout().checkout / "README.md").read_text()
    needed = space.PROGRAMS + space.IMAGES + space.RUNNING
    assert f"({needed} GiB of disk meanwhile" in readme
    free.free = needed * space.GIB - 1
    with pytest.raises(UnfitError, match=rf"has {needed}\.0 GiB free, {needed} are needed"):
        space.check(layout, ALL)
    free.free += 1
    space.check(layout, ALL)


def test_what_is_cached_needs_no_room_to_be_built(layout: Layout, free: SimpleNamespace) -> None:
    cached(layout, ALL)
    free.free = space.RUNNING * space.GIB
    space.check(layout, ALL)
    free.free -= 1
    with pytest.raises(UnfitError, match=f"{space.RUNNING} are needed"):
        space.check(layout, ALL)


def test_the_stack_needs_room_on_a_cluster_that_runs_without_it(layout: Layout, free: SimpleNamespace) -> None:
    cached(layout, WITHOUT_STACK)
    space.check(layout, WITHOUT_STACK, running=True)
    with pytest.raises(UnfitError, match=r"cache has 0\.0 GiB free"):
        space.check(layout, ALL, running=True)


@pytest.mark.parametrize("missing", ["program", "image"])
def test_a_single_thing_that_is_missing_counts(layout: Layout, free: SimpleNamespace, missing: str) -> None:
    cached(layout, ALL)
    space.check(layout, ALL, running=True)
    gone = tools.binary(layout, JAEGER) if missing == "program" else next((layout.cache / "images").glob("jaeger-*"))
    gone.unlink()
    with pytest.raises(UnfitError, match="1 are needed"):
        space.check(layout, ALL, running=True)


def test_an_image_is_not_taken_for_another_whose_name_begins_alike(layout: Layout, free: SimpleNamespace) -> None:
    cached(layout, ALL)
    (layout.cache / "images" / "prometheus-0123456789ab.tar").unlink()
    with pytest.raises(UnfitError):
        space.check(layout, ALL, running=True)


def test_a_program_that_fails_for_a_full_disk_says_so(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("No space left on device, said an earlier one\n")
    jobs = Jobs()
    assert not jobs.run(["false"], log)
    (tmp_path / "file").write_text("something")
    with pytest.raises(OSError, match="No space left on device") as failure:
        jobs.run(["cp", str(tmp_path / "file"), "/dev/full"], log)
    assert (failure.value.errno, failure.value.filename) == (errno.ENOSPC, str(log))


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a program changes of its own process out of the others' tests."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setenv("PATH", os.environ["PATH"])


@pytest.mark.parametrize("module", [__main__, stack], ids=["cluster", "stack"])
def test_a_write_that_fails_for_a_full_disk_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], layout: Layout, module: object
) -> None:
    def fill(*_: object) -> None:
        Path("/dev/full").write_text("something")

    monkeypatch.setattr(sys, "argv", ["program", "status"])
    monkeypatch.setattr(Layout, "of_this_checkout", lambda: layout)
    monkeypatch.setattr(__main__, "_run", fill)
    monkeypatch.setattr(stack.ground, "need_embedded", lambda _: None)
    monkeypatch.setattr(stack.Stack, "up", fill)
    assert module.main() == 1  # type: ignore[attr-defined]
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith("error: A disk is full (No space left on device")
    assert "make room" in sentence


def test_another_failure_of_the_system_stays_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(__main__, "_run", fail)
    with pytest.raises(PermissionError):
        __main__.main(["status"])
