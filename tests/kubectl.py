"""kubectl's errors, apart from the fixtures: programs that only wait need no pytest."""

from __future__ import annotations

from dev.cluster.errors import UnfitError


class KubectlError(UnfitError):
    """What kubectl complained about."""
