"""kubectl, always on the cluster of this checkout and never on whatever the person's own files point at."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.cluster.paths import Layout

# Seconds; what only reads has an answer by then, or hangs, and is started again, so often in all.
_READ_SECONDS, _READS = 30.0, 3


def kubectl(layout: Layout, *argv: str, feed: str | None = None) -> str:
    """Return what it printed; what it complained about becomes the error."""
    result = run(layout, *argv, feed=feed)
    if result.returncode != 0:
        raise UnfitError(f"`kubectl {' '.join(argv)}` failed: {result.stderr.strip()}")
    return result.stdout


def agrees(layout: Layout, *argv: str) -> bool:
    """Tell whether kubectl ended well."""
    return run(layout, *argv).returncode == 0


def established(kubectl: Callable[..., str], *crds: str) -> None:
    """Wait until CRDs are served; `kubectl` is called with arguments and raises `UnfitError`.

    A CRD just made has no conditions, which `kubectl wait` takes for a failure: it is asked again.
    """
    refused = ""

    def served() -> bool:
        nonlocal refused
        try:
            kubectl("wait", "--for=condition=Established", "--timeout=1s", *crds)
        except UnfitError as error:
            refused = str(error)
            return False
        return True

    if not until(served, seconds=60):
        raise UnfitError(f"The API server does not serve a CRD: {refused}")


def run(layout: Layout, *argv: str, feed: str | None = None) -> subprocess.CompletedProcess[str]:
    """Return how it ended and what it printed; one that reads and hangs is started again."""
    command = [str(layout.kubectl), f"--kubeconfig={layout.kubeconfig}", *argv]
    limit = _READ_SECONDS if argv[0] == "get" else None
    for _ in range(_READS):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return subprocess.run(command, input=feed, check=False, text=True, capture_output=True, timeout=limit)
    hung = f"`kubectl {' '.join(argv)}`: no answer within {_READ_SECONDS:.0f} s, {_READS} times"
    return subprocess.CompletedProcess(command, 1, "", hung)
