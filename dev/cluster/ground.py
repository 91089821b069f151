"""On which cluster a checkout's commands work: the person's own by name, kind where Docker answers, else embedded."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Protocol

from dev.cluster.errors import UnfitError
from dev.cluster.paths import write

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster.paths import Layout

EMBEDDED = "embedded"
KIND = "kind"
CONTEXT = "context"


class Ground(Protocol):
    """What every kind of cluster can do; each answer is what to tell the person. Modules and objects alike are some."""

    def up(self, layout: Layout, *, app: bool, stack: bool) -> str:
        """Bring it up, or mend it."""

    def down(self, layout: Layout) -> str:
        """Undo `up`."""

    def images(self, layout: Layout, names: tuple[str, ...]) -> str:
        """Build these images, and let a running cluster have them."""

    def status(self, layout: Layout) -> str:
        """Say what runs."""


def chosen(layout: Layout, wanted: str = "", *, docker: str = "docker") -> str:
    """Return `embedded`, `kind` or `context NAME`; what a checkout has begun with stays until `down`."""
    begun = _file(layout).read_text() if _file(layout).exists() else ""
    if begun and wanted and begun != wanted:
        raise UnfitError(f"This checkout already works on another cluster ({begun}); run `make down` first.")
    return begun or wanted or (KIND if _answers(docker) else EMBEDDED)


def begin(layout: Layout, ground: str) -> None:
    """Remember it, so that Docker being started or stopped meanwhile changes nothing."""
    write(_file(layout), ground)


def end(layout: Layout) -> None:
    """Leave the next `up` free to choose."""
    _file(layout).unlink(missing_ok=True)


def _file(layout: Layout) -> Path:
    return layout.local / "ground"


def _answers(docker: str) -> bool:
    """Ask the engine, not the client: many machines have the program alone."""
    if shutil.which(docker) is None:
        return False
    try:
        return subprocess.run([docker, "version"], check=False, capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False
