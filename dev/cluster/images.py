"""Container images without a registry: built by buildah, kept as archives named by the digest of what went in."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.cluster.jobs import Jobs
    from dev.cluster.paths import Layout

# An edit makes an archive of a hundred megabytes; the one before it serves going back.
KEPT_ARCHIVES = 2
# 2020-01-01; wheels, being zip files, know no time before 1980.
TIME = 1577836800
CERTIFICATES = "/etc/ssl/certs"


@dataclass(frozen=True)
class Image:
    """What goes into an image: its Dockerfile, its arguments, and the files it copies by their place in the context.

    A file is a path, or its bytes where somebody may be editing it while the image is built. A published name is one
    that manifests for any cluster have: here it is given to our content, which it does not follow.
    """

    repository: str
    dockerfile: Path
    files: Mapping[str, Path | bytes]
    arguments: dict[str, str] = field(default_factory=dict)
    tag_prefix: str = ""
    published: str = ""

    @property
    def name(self) -> str:
        """Return the last part of the repository, which names its archive and its log."""
        return self.repository.rsplit("/", 1)[-1]

    @cached_property
    def digest(self) -> str:
        """Return what changes with any byte that goes in, so that an unchanged image is never built again.

        A published name goes in too: the archive holds it.
        """
        arguments = repr(sorted(self.arguments.items())) + self.published
        digest = hashlib.sha256(self.dockerfile.read_bytes() + arguments.encode())
        for place, file in sorted(self.files.items()):
            digest.update(f"{place}\0".encode() + (file if isinstance(file, bytes) else file.read_bytes()))
        return digest.hexdigest()[:12]

    @property
    def reference(self) -> str:
        """Return a name that follows the content, so that a Deployment rolls when it changed; or the published one."""
        return self.published or f"{self.repository}:{self.tag_prefix}{self.digest}"

    def stage(self, context: Path) -> None:
        """Lay its files out as a build context, all of one time: a copy's time would count as a change of content."""
        for place, file in self.files.items():
            _put(file, context / place)
        for folder, _, files in os.walk(context):
            for name in (".", *files):
                os.utime(Path(folder, name), (TIME, TIME))


@dataclass(frozen=True)
class Builder:
    """Runs buildah in a store of our own, with a log for each image."""

    layout: Layout
    jobs: Jobs

    def archive(self, image: Image) -> Path:
        """Return the image as a file that is whole, built if it is not there yet."""
        path = self.archive_path(image)
        if not path.exists():
            self.build(image)
            # Not an OCI archive: its layers would be compressed only to be unpacked again at once.
            unfinished = path.with_suffix(f".{os.getpid()}")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._buildah(image.name, "push", image.reference, f"docker-archive:{unfinished}:{image.reference}")
            unfinished.replace(path)
            self._forget_older(path)
        return path

    def archive_path(self, image: Image) -> Path:
        """Return where its archive is, or will be."""
        return self.layout.cache / "images" / f"{image.name}-{image.digest}.tar"

    def built(self, reference: str) -> bool:
        """Tell whether the store has it."""
        command = [*self._command(), "inspect", "--type=image", reference]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def build(self, image: Image, reference: str = "") -> None:
        """Build in a context that holds the image's files and nothing else."""
        with tempfile.TemporaryDirectory(dir=self.layout.cache) as context:
            image.stage(Path(context))
            arguments = [f"--build-arg={name}={value}" for name, value in image.arguments.items()]
            flags = [
                "--layers",
                "--isolation=chroot",
                "--network=host",
                # The machine's certificate authorities, while it builds; they do not stay in the image.
                f"--volume={CERTIFICATES}:{CERTIFICATES}:ro",
                f"--volume={self._wheels()}:/root/.cache/uv:rw",
                f"--file={image.dockerfile}",
                f"--tag={reference or image.reference}",
            ]
            self._buildah(image.name, "build", *flags, *arguments, context)

    def _wheels(self) -> Path:
        folder = self.layout.cache / "wheels"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _forget_older(self, newest: Path) -> None:
        """Keep few of this image (`prometheus-operator` is another than `prometheus`), and nothing half written."""
        repository, digest = newest.stem.rsplit("-", 1)
        of_this = list(newest.parent.glob(f"{repository}-{'[0-9a-f]' * len(digest)}.*"))
        unfinished = [path for path in of_this if path.suffix != ".tar"]
        archives = sorted(set(of_this) - set(unfinished), key=lambda path: (path == newest, path.stat().st_mtime))
        for path in (*unfinished, *archives[:-KEPT_ARCHIVES]):
            path.unlink(missing_ok=True)

    def _command(self) -> list[str]:
        store = self.layout.cache / "buildah"
        return ["buildah", f"--root={store / 'root'}", f"--runroot={store / 'run'}", "--storage-driver=overlay"]

    def _buildah(self, name: str, *argv: str) -> None:
        log = self.layout.logs / f"image-{name}.log"
        if not self.jobs.run([*self._command(), *argv], log):
            raise UnfitError(f"Building the image {name} failed; {log} says why.")


def _put(file: Path | bytes, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(file, bytes):
        place.write_bytes(file)
    else:
        shutil.copy2(file, place)
