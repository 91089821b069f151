"""A Secret in a pod: what the kubelet does to the folder that it is mounted at."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def mount(folder: Path, files: Mapping[str, str]) -> None:
    """Show these files and no others: each a link through `..data`, itself a link, which changes by a rename.

    In the order of the kubelet's AtomicWriter: for a moment a new file has no link yet, and the link of one that is
    gone leads nowhere.
    """
    data, fresh = folder / "..data", Path(tempfile.mkdtemp(prefix="..", dir=folder))
    stale = data.resolve() if data.is_symlink() else None
    for name, content in files.items():
        (fresh / name).write_text(content)
    (link := folder / "..data_tmp").symlink_to(fresh.name)
    link.rename(data)
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data", name))
    for shown in folder.iterdir():
        if not shown.name.startswith("..") and shown.name not in files:
            shown.unlink()
    if stale:
        shutil.rmtree(stale)
