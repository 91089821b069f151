"""A program in the files of its image, on the image's Python: what users run, without a container around it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from typing import IO, TYPE_CHECKING, Any

from dev.cluster.paths import Layout
from dev.cluster.workshop import workshop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYTHON = "/opt/venv/bin/python"
SERVICE_ACCOUNT = "run/secrets/kubernetes.io/serviceaccount"
TEMPORARY = tempfile.gettempdir()
# The machine's, which programs read and write; and the checkout, whose modules the subject is made of.
MACHINE = {"/proc": "proc", "/dev": "dev", TEMPORARY: TEMPORARY.lstrip("/")}
CHECKOUT = "mnt"


def service() -> tuple[str, ...]:
    """Return the command that runs the service."""
    return (*inside("service"), "t2i-service")


def subject(*options: str) -> tuple[str, ...]:
    """Return the command that runs `dev.bench.subject`: the service, its picture drawn beforehand."""
    return (*inside("service"), PYTHON, "-m", "dev.bench.subject", *options)


def operator(account: Path) -> tuple[str, ...]:
    """Return the command that runs the operator with the ServiceAccount of this folder."""
    return (*inside("operator", {str(account): SERVICE_ACCOUNT}), "t2i-operator")


def described(name: str) -> dict[str, str]:
    """Return which image it is, and its Python."""
    version = (PYTHON, "-c", "import platform; print(platform.python_version())")
    said = subprocess.run((*inside(name), *version), check=True, text=True, capture_output=True).stdout
    return {"name": _unpacked(name)[0].name, "python": said.strip()}


def inside(name: str, mounts: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what comes before a command, so that it runs in the files of the image `name`; root alone may.

    Each command gives way to the next, so that the process is the program's; what it has mounted ends with it.
    """
    (files, variables), checkout = _unpacked(name), str(Layout.of_this_checkout().checkout)
    mounted = {**MACHINE, checkout: CHECKOUT, **(mounts or {})}
    for place in mounted.values():
        (files / place).mkdir(parents=True, exist_ok=True)
    root = shlex.quote(str(files))
    enter = [f"mount --rbind {shlex.quote(path)} {root}/{place}" for path, place in mounted.items()]
    variables = {**variables, "PYTHONPATH": f"{variables['PYTHONPATH']}:/{CHECKOUT}"}
    environment = shlex.join(f"{key}={value}" for key, value in variables.items())
    enter.append(f'exec chroot {root} /usr/bin/env {environment} "$@"')
    return ("unshare", "--mount", "sh", "-ec", "\n".join(enter), name)


@cache
def _unpacked(name: str) -> tuple[Path, dict[str, str]]:
    """Return an image's files and variables; built if it is not there yet, and only that of today's code is kept."""
    layout = Layout.of_this_checkout()
    with workshop(layout) as shop:
        archives, (image,) = shop.archives((name,))
        archive = archives[image]
    kept = layout.local / "bench" / "images"
    files = kept / archive.stem
    if not files.exists():
        for older in kept.glob(f"{name}-*"):
            shutil.rmtree(older)
        unfinished = kept / f"{archive.stem}.part"
        _unpack(archive, unfinished)
        unfinished.rename(files)
    return files, _variables(archive)


def _unpack(archive: Path, to: Path) -> None:
    """Lay the layers over each other; none of ours takes a file of another away."""
    with tarfile.open(archive) as image:
        for layer in _manifest(image)["Layers"]:
            with tarfile.open(fileobj=_member(image, layer)) as files:
                files.extractall(to, filter="tar")


def _variables(archive: Path) -> dict[str, str]:
    with tarfile.open(archive) as image:
        config = json.load(_member(image, _manifest(image)["Config"]))["config"]
    return dict(variable.split("=", 1) for variable in config["Env"])


def _manifest(image: tarfile.TarFile) -> dict[str, Any]:
    (manifest,) = json.load(_member(image, "manifest.json"))
    return manifest  # type: ignore[no-any-return]


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise TypeError(f"{name} is no file in the image")
    return found
