"""What is mounted below a folder, and away with it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from dev.cluster.errors import UnfitError
from dev.cluster.waiting import until


def mounts_below(*folders: Path) -> list[str]:
    """Return mount points in the order in which they were mounted; the kernel writes odd characters in octal."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), line.split()[4]) for line in lines]
    return [point for point in points if any(Path(point).is_relative_to(folder) for folder in folders)]


def unmount_below(*folders: Path) -> None:
    """Begin with the last mounted, and look again: a process that is just ending holds some, and unmounts others."""
    if not until(lambda: _none_left(folders), seconds=10):
        point = mounts_below(*folders)[-1]
        raise UnfitError(f"{point} cannot be unmounted; end what uses it (`fuser -m {point}`) and try again.")


def _none_left(folders: tuple[Path, ...]) -> bool:
    for point in reversed(mounts_below(*folders)):
        subprocess.run(["umount", point], check=False, capture_output=True)
    return not mounts_below(*folders)
