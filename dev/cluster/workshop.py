"""What a command works with: progress to show, programs and images built in the background, all ended with it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dev.cluster import catalog
from dev.cluster.archives import Archives
from dev.cluster.jobs import Jobs
from dev.cluster.progress import Progress
from dev.cluster.tools import TOOLS, Programs, Tool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster.images import Image
    from dev.cluster.paths import Layout


@dataclass
class Workshop:
    """Builds begin when they are asked for, not before: the machine may turn out to be unfit."""

    layout: Layout
    stack: ExitStack
    progress: Progress = field(default_factory=Progress)
    jobs: Jobs = field(default_factory=Jobs)

    def programs(self, tools: tuple[Tool, ...] = TOOLS) -> Programs:
        """Begin to build what is missing of the Go programs."""
        programs = Programs(self.layout, self.progress, self.jobs, tools)
        self._end_with_us(programs)
        return programs

    def archives(self, names: tuple[str, ...] = ()) -> tuple[Archives, list[Image]]:
        """Begin to build the images with these names."""
        archives = Archives(self.layout, self.progress, self.jobs)
        self._end_with_us(archives)
        images = [catalog.on_base(self.layout, name, archives.base.reference) for name in names]
        archives.prepare(catalog.busybox(), *images)
        return archives, images

    def _end_with_us(self, background: Programs | Archives) -> None:
        self.stack.callback(background.close)
        self.stack.callback(self.jobs.abandon)


@contextmanager
def workshop(layout: Layout) -> Iterator[Workshop]:
    """Open one; on the way out, builds that still run are ended and the progress line is wiped."""
    with ExitStack() as stack:
        shop = Workshop(layout, stack)
        stack.callback(shop.progress.close)
        yield shop
