"""Images as files, built in the background while the Go programs are."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from dev.cluster.base import Base
from dev.cluster.images import Builder, Image
from dev.cluster.locks import exclusive

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster.jobs import Jobs
    from dev.cluster.paths import Layout
    from dev.cluster.progress import Progress


class Archives:
    """Where each image's archive is; asking for one waits for it."""

    def __init__(self, layout: Layout, progress: Progress, jobs: Jobs) -> None:
        self._layout = layout
        self._builder = Builder(layout, jobs)
        self._progress = progress
        self._pool = ThreadPoolExecutor(1, "images")
        self._built: dict[Path, Future[Path]] = {}

    @property
    def base(self) -> Base:
        """Return the base that the programs' images stand on."""
        return Base(self._builder)

    def prepare(self, *images: Image) -> None:
        """Begin with what will be asked for later."""
        for image in images:
            self._submit(image)

    def __getitem__(self, image: Image) -> Path:
        """Wait for it to be built."""
        return self._submit(image).result()

    def close(self) -> None:
        """Start no further build."""
        self._pool.shutdown(cancel_futures=True)

    def _submit(self, image: Image) -> Future[Path]:
        path = self._builder.archive_path(image)
        if path not in self._built:
            if path.exists():
                future: Future[Path] = Future()
                future.set_result(path)
            else:
                self._progress.expect(1)
                future = self._pool.submit(self._build, image)
            self._built[path] = future
        return self._built[path]

    def _build(self, image: Image) -> Path:
        # Two checkouts share the store: the second waits for the first one's image instead of making it again.
        with exclusive(self._layout.cache / "images.lock"):
            if self.base.reference in image.arguments.values() and not self._builder.built(self.base.reference):
                self._progress.expect(1)
                with self._progress.building("the base image"):
                    self.base.ensure()
            with self._progress.building(f"the image {image.name}"):
                return self._builder.archive(image)
