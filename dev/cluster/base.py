"""The base image where no registry is in reach: Debian trixie with its Python 3.13, made by debootstrap."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.errors import UnfitError
from dev.cluster.images import Builder, Image
from dev.cluster.mounts import unmount_below

DOCKERFILE = Path(__file__).parent / "images" / "base.Dockerfile"
SUITE = "trixie"
PACKAGES = ("ca-certificates", "python3", "python3-venv")
# What a container never reads, as python:slim leaves it out too.
LEFT_OUT = ("dev", "proc", "sys", "run", "tmp", "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man",
            "usr/share/locale", "var/log")  # fmt: skip
MIRROR = re.compile(r"^[^#\n]*?(https?://\S+/debian)/?(?:\s|$)", re.MULTILINE)
PUBLIC_MIRROR = "http://deb.debian.org/debian"


@dataclass(frozen=True)
class Base:
    """Made once; the store of the builder keeps it."""

    builder: Builder

    @property
    def reference(self) -> str:
        """Return its name, which follows what it is made of."""
        recipe = repr((SUITE, PACKAGES, LEFT_OUT)).encode() + DOCKERFILE.read_bytes()
        return f"localhost/text-to-image/base:{SUITE}-{hashlib.sha256(recipe).hexdigest()[:12]}"

    def ensure(self) -> None:
        """Debootstrap into a folder of its own, which an interruption leaves to be cleared by the next attempt."""
        if self.builder.built(self.reference):
            return
        workshop = self.builder.layout.cache / "debootstrap"
        self._clear(workshop)
        workshop.mkdir(parents=True)
        try:
            self._debootstrap(workshop / "root")
            _pack(workshop / "root", workshop / "base.tar")
            image = Image("localhost/text-to-image/base", DOCKERFILE, {"base.tar": workshop / "base.tar"})
            self.builder.build(image, self.reference)
        finally:
            self._clear(workshop)

    def _debootstrap(self, root: Path) -> None:
        log = self.builder.layout.logs / "image-base.log"
        command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root), mirror()]
        if not self.builder.jobs.run(command, log):
            raise UnfitError(f"Making the base image from Debian's packages failed; {log} says why.")

    @staticmethod
    def _clear(workshop: Path) -> None:
        unmount_below(workshop)
        shutil.rmtree(workshop, ignore_errors=True)


def mirror(apt: Path = Path("/etc/apt")) -> str:
    """Return the Debian mirror that this machine installs from, or the public one on another distribution."""
    for path in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*"))]:
        found = MIRROR.search(path.read_text()) if path.is_file() else None
        if found:
            return found[1]
    return PUBLIC_MIRROR


def _pack(root: Path, target: Path) -> None:
    def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        left_out = any(member.name.startswith(f"{folder}/") for folder in LEFT_OUT)
        return None if left_out else member

    with tarfile.open(target, "w") as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, path.name, filter=kept)
