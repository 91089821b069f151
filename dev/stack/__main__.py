"""The command line of the monitoring stack: `python -m dev.stack` installs it, or mends it."""

from __future__ import annotations

import sys

from dev.cluster import ground
from dev.cluster.errors import UnfitError, full_disk_told
from dev.cluster.locks import exclusive
from dev.cluster.paths import Layout
from dev.cluster.workshop import workshop
from dev.stack.install import Stack

BUSY = "Another command of this checkout is at work on the cluster; waiting for it."


def main() -> int:
    """Return 1, after a sentence, when something does not work."""
    layout = Layout.of_this_checkout()
    try:
        ground.need_embedded(layout)
        with full_disk_told(), exclusive(layout.local / "lock", BUSY), workshop(layout) as shop:
            stack = Stack(layout, shop)
            stack.up()
            print(stack.report())
    except UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
