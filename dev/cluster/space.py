"""Room on the disk for what is still to be built, and for running it."""

from __future__ import annotations

import math
import shutil
from typing import TYPE_CHECKING, NamedTuple

from dev.cluster import catalog
from dev.cluster.errors import UnfitError
from dev.cluster.tools import TOOLS, Tool, binary
from dev.stack import catalog as stack_catalog

if TYPE_CHECKING:
    from dev.cluster.paths import Layout

GIB = 1 << 30
# Together the 15 GiB that a start from nothing takes: Go's modules and its build cache for all programs, the archives
# and layers of all images, and what a running cluster unpacks and writes.
PROGRAMS = 9
IMAGES = 3
RUNNING = 3
DIGEST = "[0-9a-f]" * 12


class Wanted(NamedTuple):
    """What a command needs, built by now or not."""

    programs: tuple[Tool, ...]
    images: tuple[str, ...]


def wanted(*, app: bool, stack: bool) -> Wanted:
    """Return what `up` needs; the stack stands on the sample."""
    programs, images = list(TOOLS), ["busybox", "coredns"]
    if app:
        images += catalog.PROGRAMS
    if app and stack:
        programs += stack_catalog.TOOLS
        images += {*(tool.name for tool in stack_catalog.TOOLS), *stack_catalog.PUBLISHED}
    return Wanted(tuple(programs), tuple(images))


def check(layout: Layout, what: Wanted, *, running: bool = False) -> None:
    """Refuse a disk that would fill midway; folders on one disk share what it has."""
    needed: dict[int, float] = {}
    for folder, gib in ((layout.cache, _to_build(layout, what)), (layout.local, 0 if running else RUNNING)):
        folder.mkdir(parents=True, exist_ok=True)
        disk = folder.stat().st_dev
        needed[disk] = needed.get(disk, 0) + gib
        free = shutil.disk_usage(folder).free / GIB
        if free < needed[disk]:
            asked = math.ceil(needed[disk])
            raise UnfitError(f"{folder} has {free:.1f} GiB free, {asked} are needed; make room there and try again.")


def _to_build(layout: Layout, what: Wanted) -> float:
    """Return GiB, in proportion to what the cache has not; an image that was edited since counts as there."""
    everything = wanted(app=True, stack=True)
    programs = [tool for tool in what.programs if not binary(layout, tool).exists()]
    images = [name for name in what.images if not any((layout.cache / "images").glob(f"{name}-{DIGEST}.tar"))]
    return PROGRAMS * len(programs) / len(everything.programs) + IMAGES * len(images) / len(everything.images)
