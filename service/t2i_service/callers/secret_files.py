"""Folders of secrets as the kubelet mounts them: a file a key, exchanged under our feet, never needing a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from t2i_service.observing import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

POLL_SECONDS = 1.0

log = logs.get("app.keys")


def read_files(folder: Path) -> dict[str, str]:
    """Return every file's content by its name; the kubelet's own entries, which begin with `..`, are no keys.

    Raise `OSError` for what cannot be read and `ValueError` for what is no text.
    """
    return {
        file.name: _text(file) for file in sorted(folder.iterdir()) if not file.name.startswith("..") and file.is_file()
    }


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{file.name!r} is not UTF-8 text") from None


async def follow_files(folder: Path, taken: Mapping[str, str], take: Callable[[dict[str, str]], None]) -> None:
    """Call `take` whenever the files say something else than before; a folder that cannot be read changes nothing."""
    trouble = ""
    while True:
        await asyncio.sleep(POLL_SECONDS)
        try:
            fresh = await asyncio.to_thread(read_files, folder)
        except (OSError, ValueError) as error:
            if trouble != (trouble := str(error)):
                log.warning("Keys cannot be read, those known stay", folder=str(folder), error=trouble)
            continue
        trouble = ""
        if fresh != taken:
            taken = fresh
            take(fresh)
