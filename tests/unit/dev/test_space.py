"""A disk that would fill midway is refused before, by what is still to be built."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from dev.cluster import space, tools
from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout
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
