"""Every image of the cluster: the small ones it needs itself, and the two programs of this project."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.images import Image

if TYPE_CHECKING:
    from dev.cluster.paths import Layout

DOCKERFILES = Path(__file__).parent / "images"
LOCAL = "localhost/text-to-image"
PUBLISHED = "ghcr.io/text-to-image"
PROGRAMS = ("operator", "service")
ON_BASE = (*PROGRAMS, "toolbox")
SHARED_SOURCES = ("pyproject.toml", "uv.lock", "LICENSE")


def busybox() -> Image:
    """Return what holds a pod's namespaces open."""
    return Image(f"{LOCAL}/busybox", DOCKERFILES / "busybox.Dockerfile", {"busybox": Path("/bin/busybox")})


def coredns(program: Path) -> Image:
    """Return the image of the cluster's DNS."""
    return Image(f"{LOCAL}/coredns", DOCKERFILES / "coredns.Dockerfile", {"coredns": program})


def on_base(layout: Layout, name: str, base: str) -> Image:
    """Return the image of the operator, of the service, or of what tests run in pods, on the given base."""
    if name not in ON_BASE:
        raise UnfitError(f"There is no image {name}; there are {', '.join(ON_BASE)}.")
    if name == "toolbox":
        return Image(f"{LOCAL}/toolbox", DOCKERFILES / "toolbox.Dockerfile", {}, {"BASE": base})
    return Image(
        repository=f"{PUBLISHED}/{name}",
        dockerfile=layout.checkout / f"Dockerfile.{name}",
        files=_sources(layout.checkout, name),
        arguments={"BASE": base, "T2I_COMMIT": _commit(layout.checkout, name)},
        tag_prefix=f"{version(layout.checkout)}-",
    )


def _sources(checkout: Path, name: str) -> dict[str, bytes]:
    code = [path for path in (checkout / name).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    shared = [checkout / name for name in SHARED_SOURCES]
    return {str(path.relative_to(checkout)): path.read_bytes() for path in [*shared, *code]}


def version(checkout: Path) -> str:
    """Return the version of this project."""
    version: str = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["version"]
    return version


def _commit(checkout: Path, name: str) -> str:
    """Return the last commit that touched what goes in: one that did not must not make another image."""
    paths = [name, f"Dockerfile.{name}", *SHARED_SOURCES]
    last = ["git", "-C", str(checkout), "log", "-1", "--format=%H", "--", *paths]
    changed = ["git", "-C", str(checkout), "status", "--porcelain", "--", *paths]
    commit, edits = (subprocess.run(argv, check=False, text=True, capture_output=True) for argv in (last, changed))
    if commit.returncode != 0 or not commit.stdout.strip():
        return "unknown"
    return commit.stdout.strip() + ("-dirty" if edits.stdout.strip() else "")
