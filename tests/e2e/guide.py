"""The guide and the README as data, read from the text that people read, and a shell to run their commands in."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

CHECKOUT = Path(__file__).resolve().parents[2]
GUIDE = CHECKOUT / "docs" / "observability-guide.md"
README = CHECKOUT / "README.md"
_FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"(^|\s\s)\s*#.*$")
_CONTINUED = re.compile(r"\s*\\\n\s*")
_VARIABLE = re.compile(r"[A-Z_]+=\S+")


def lines(language: str, page: Path = GUIDE) -> list[str]:
    """Return what stands in the fences of a language, comments left out and continued lines in one."""
    blocks = [text for name, text in _FENCE.findall(page.read_text()) if name == language]
    found = [_COMMENT.sub("", line).strip() for block in blocks for line in _CONTINUED.sub(" ", block).splitlines()]
    return [line for line in found if line]


def commands() -> list[str]:
    """Return every command of the guide, in its order."""
    return [line for line in lines("bash") if not _VARIABLE.fullmatch(line)]


def variables() -> dict[str, str]:
    """Return the service's settings that the guide names, with the guide's values."""
    return dict(line.split("=", 1) for line in lines("bash") if _VARIABLE.fullmatch(line))


@dataclass
class Reader:
    """Somebody who copies a command into bash in the repository's root and puts in what the guide leaves open."""

    kubeconfig: Path
    placeholders: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> str:
        """Return what is printed; a command that fails, fails the test."""
        with self._start(command, subprocess.PIPE, subprocess.PIPE) as process:
            output, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, f"{command}: exit status {process.returncode}, {complaint}"
        return output

    @contextmanager
    def running(self, command: str) -> Iterator[IO[str]]:
        """Yield what a command that does not end by itself prints, and end it afterwards.

        It is read by a file of its own: to go back in the command's would have the next line written over the first.
        """
        with (
            NamedTemporaryFile("w") as written,
            Path(written.name).open() as output,
            self._start(f"exec {command}", written, written) as process,
        ):
            try:
                yield output
            finally:
                process.terminate()
                process.wait(30)

    def _start(self, command: str, output: int | IO[str], complaints: int | IO[str]) -> subprocess.Popen[str]:
        """Give it the kubectl of this environment, the local cluster, and no proxy."""
        for placeholder, value in self.placeholders.items():
            command = command.replace(placeholder, value)
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.Popen(  # noqa: S603
            ["bash", "-o", "pipefail", "-c", command],  # noqa: S607
            cwd=CHECKOUT,
            env={"PATH": path, "HOME": os.environ.get("HOME", "/"), "KUBECONFIG": str(self.kubeconfig)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=complaints,
            text=True,
        )
