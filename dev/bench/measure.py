"""What every benchmark asks of the machine, and where its figures go."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

FIGURES = Path(__file__).resolve().parents[2] / ".local" / "bench"


class Memory(NamedTuple):
    """Resident memory of a process in MiB."""

    now: float
    peak: float


def memory(pid: int) -> Memory:
    """Return what the process holds, and the most it ever held."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    kibibytes = {words[0]: int(words[1]) for words in lines if words[0] in ("VmRSS:", "VmHWM:")}
    return Memory(round(kibibytes["VmRSS:"] / 1024, 1), round(kibibytes["VmHWM:"] / 1024, 1))


def cpu_seconds(pid: int) -> float:
    """Return the time that the process has had a processor for, by itself and for the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def save(name: str, figures: Mapping[str, Any]) -> Path:
    """Write one run's figures beside what they were measured on; return the file."""
    machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}
    FIGURES.mkdir(parents=True, exist_ok=True)
    file = FIGURES / f"{name}.json"
    file.write_text(json.dumps({"machine": machine, **figures}, indent=1) + "\n")
    return file
