"""Short programs of the machine, whose complaint becomes the sentence that the person reads."""

from __future__ import annotations

import os
import subprocess

from dev.cluster.errors import UnfitError

# Where the PATH of somebody who became root by `su` may not lead.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def system_path() -> str:
    """Return the person's PATH, and where a system keeps its own programs."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS])


def output(*argv: str, feed: str = "") -> str:
    """Return what it printed."""
    result = subprocess.run(argv, input=feed, check=False, text=True, capture_output=True)
    if result.returncode != 0:
        raise UnfitError(f"`{' '.join(argv)}` failed: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout
