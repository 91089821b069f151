"""The API server's own record of who wrote what and when: it costs the measured program nothing."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Write(NamedTuple):
    """One write, and when it was answered (seconds since the epoch)."""

    user: str
    verb: str
    resource: str
    name: str
    code: int
    at: float


class Audit:
    """The part of the log that is about one namespace."""

    def __init__(self, log: Path, namespace: str) -> None:
        self._log, self._mark = log, f'"namespace":"{namespace}"'.encode()

    def now(self) -> int:
        """Return where the log ends."""
        return self._log.stat().st_size

    def since(self, offset: int, user: str = "") -> list[Write]:
        """Return what was written after that point, by everybody or by one user."""
        entries = [json.loads(line) for line in lines(self._log, offset) if self._mark in line]
        writes = [_write(entry) for entry in entries if "objectRef" in entry]
        return [write for write in writes if user in ("", write.user)]

    async def quiet(self, offset: int, user: str, seconds: float) -> list[Write]:
        """Wait until the user has not written for so long; return all it wrote."""
        while True:
            writes = self.since(offset, user)
            if writes and time.time() - writes[-1].at > seconds:
                return writes
            await asyncio.sleep(seconds / 2)

    async def first(self, offset: int, wanted: Callable[[Write], bool], patience: float = 30.0) -> Write:
        """Wait for a write; a time-out says that there was none."""
        async with asyncio.timeout(patience):
            while True:
                found = next((write for write in self.since(offset) if wanted(write)), None)
                if found:
                    return found
                await asyncio.sleep(0.02)


def lines(log: Path, offset: int) -> Iterator[bytes]:
    """Yield the log's whole lines that begin at an offset or after: its end may have been read within a line."""
    with log.open("rb") as file:
        if offset:
            file.seek(offset - 1)
            file.readline()
        yield from (line for line in file if line.endswith(b"\n"))


def _write(entry: dict[str, dict[str, str]]) -> Write:
    target = entry["objectRef"]
    at = datetime.fromisoformat(str(entry["stageTimestamp"])).timestamp()
    code = int(entry.get("responseStatus", {}).get("code", 0))
    user, verb = entry["user"]["username"], str(entry["verb"])
    return Write(user, verb, target.get("resource", ""), target.get("name", ""), code, at)
