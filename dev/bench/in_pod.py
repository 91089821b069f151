"""The operator as its pod runs it: `python -m dev.bench.in_pod FOLDER` reads the ServiceAccount in that folder.

This environment has packages that the image has not, of which structlog loads some where it finds them. Nothing else is
imported here, which would be measured.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

NOT_IN_THE_IMAGE = ("colorama", "pygments", "rich")


def main(folder: Path) -> None:
    """Run the operator."""
    modules: dict[str, Any] = sys.modules
    modules |= dict.fromkeys(NOT_IN_THE_IMAGE)
    from t2i_operator.kube import service_account  # noqa: PLC0415
    from t2i_operator.main import main as run  # noqa: PLC0415

    service_account.FOLDER = folder
    run([])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
