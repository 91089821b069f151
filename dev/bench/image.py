"""A program in the files of its image, on the image's Python: what users run, without a container around it."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from typing import IO, TYPE_CHECKING

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
ENVIRONMENT = f"PYTHONPATH=/opt/app:/{CHECKOUT} PATH=/opt/app/bin:/opt/venv/bin:/usr/sbin:/usr/bin:/sbin:/bin"


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
    return {"name": _files(name).name, "python": said.strip()}


def inside(name: str, mounts: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return what comes before a command, so that it runs in the files of the image `name`; root alone may.

    Each command gives way to the next, so that the process is the program's; what it has mounted ends with it.
    """
    files, checkout = _files(name), str(Layout.of_this_checkout().checkout)
    mounted = {**MACHINE, checkout: CHECKOUT, **(mounts or {})}
    for place in mounted.values():
        (files / place).mkdir(parents=True, exist_ok=True)
    root = shlex.quote(str(files))
    enter = [f"mount --rbind {shlex.quote(path)} {root}/{place}" for path, place in mounted.items()]
    enter.append(f'exec env {ENVIRONMENT} chroot {root} "$@"')
    return ("unshare", "--mount", "sh", "-ec", "\n".join(enter), name)


@cache
def _files(name: str) -> Path:
    """Unpack the image, built if it is not there yet; only that of today's code is kept."""
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
    return files


def _unpack(archive: Path, to: Path) -> None:
    """Lay the layers over each other; none of ours takes a file of another away."""
    with tarfile.open(archive) as image:
        for layer in json.load(_member(image, "manifest.json"))[0]["Layers"]:
            with tarfile.open(fileobj=_member(image, layer)) as files:
                files.extractall(to, filter="tar")


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise TypeError(f"{name} is no file in the image")
    return found
