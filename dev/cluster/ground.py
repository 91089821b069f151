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
    """Return `embedded`, `kind` or `context NAME`; what a checkout has begun with stays until `down`.

    A context is remembered only to be refused: whoever means the person's own cluster says so each time.
    """
    there = begun(layout)
    if there and wanted and there != wanted:
        raise UnfitError(f"This checkout already works on another cluster ({there}); run `{_down(there)}` first.")
    if there.startswith(CONTEXT) and not wanted:
        name = _name(there)
        raise UnfitError(
            f"This checkout works on a cluster of yours, {name}, which is not touched without its name: "
            f"add CONTEXT={name}, or run `{_down(there)}` first."
        )
    return there or wanted or (KIND if _answers(docker) else EMBEDDED)


def begun(layout: Layout) -> str:
    """Return what the checkout works on, or nothing."""
    return _file(layout).read_text() if _file(layout).exists() else ""


def need_embedded(layout: Layout) -> None:
    """Refuse any other cluster: tests, drills and benchmarks break what they find, and a person's own is not theirs."""
    there = begun(layout)
    if there != EMBEDDED:
        works = f"works on another ({there}; `{_down(there)}` ends that)" if there else "has none"
        raise UnfitError(
            f"This is for the embedded cluster alone, and this checkout {works}: run `make up ON=embedded` first."
        )


def begin(layout: Layout, ground: str) -> None:
    """Remember it, so that Docker being started or stopped meanwhile changes nothing."""
    write(_file(layout), ground)


def end(layout: Layout) -> None:
    """Leave the next `up` free to choose."""
    _file(layout).unlink(missing_ok=True)


def _file(layout: Layout) -> Path:
    return layout.local / "ground"


def _name(ground: str) -> str:
    return ground.removeprefix(f"{CONTEXT} ")


def _down(ground: str) -> str:
    return f"make down CONTEXT={_name(ground)}" if ground.startswith(CONTEXT) else "make down"


def _answers(docker: str) -> bool:
    """Ask the engine, not the client: many machines have the program alone."""
    if shutil.which(docker) is None:
        return False
    try:
        return subprocess.run([docker, "version"], check=False, capture_output=True, timeout=10).returncode == 0
    except subprocess.TimeoutExpired:
        return False
