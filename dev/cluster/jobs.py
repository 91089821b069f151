"""Builds that run beside us: each with a log, and none of them outliving the command that wanted it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from dev.cluster.errors import FULL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Jobs:
    """Runs programs and, when one of several fails, ends the others instead of waiting for them."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._abandoned = False
        self._lock = threading.Lock()

    def run(self, argv: list[str], log: Path, *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> bool:
        """Wait for it to end; True when it succeeded. Raises OSError when it failed for a disk that is full."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            before = output.tell()
            with self._lock:
                if self._abandoned:
                    return False
                child = subprocess.Popen(
                    argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True,
                )  # fmt: skip
                self._running.add(child)
            succeeded = child.wait() == 0
            with self._lock:
                self._running.discard(child)
        if not succeeded and _complains_of_space(log, before):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(log))
        return succeeded

    def abandon(self) -> None:
        """End what still runs, its children included, and start nothing more."""
        with self._lock:
            self._abandoned = True
            for child in self._running:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGTERM)


def _complains_of_space(log: Path, before: int) -> bool:
    """Ask what it wrote, or whether it could write at all; compilers clear up, so the disk has room again by now."""
    with log.open("rb") as written:
        written.seek(before)
        said = written.read().lower()
    complaints = (os.strerror(number).lower().encode() for number in FULL)
    return shutil.disk_usage(log.parent).free == 0 or any(complaint in said for complaint in complaints)
