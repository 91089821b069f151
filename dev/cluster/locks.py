"""Files that only one process holds at a time; the kernel lets go when the holder ends, however it ends."""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO


@contextmanager
def exclusive(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold it; say `waiting` to the person if somebody else does."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            _lock(file, waiting)
            # Whoever held it may have deleted it, as `down` does with its whole folder: then it guards nothing.
            if _still_there(path, file):
                yield
                return


def _lock(file: IO[str], waiting: str) -> None:
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    if waiting:
        print(waiting, file=sys.stderr, flush=True)
    fcntl.flock(file, fcntl.LOCK_EX)


def _still_there(path: Path, file: IO[str]) -> bool:
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
