"""The cluster's Go programs: pinned in `dev/tools/<module>/go.mod`, built once into the user's cache."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.cluster import golang
from dev.cluster.errors import UnfitError
from dev.cluster.locks import exclusive

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster.jobs import Jobs
    from dev.cluster.paths import Layout
    from dev.cluster.progress import Progress

KUBERNETES_VERSION = (
    "-X k8s.io/component-base/version.gitVersion={version}"
    " -X k8s.io/component-base/version.gitMajor={major}"
    " -X k8s.io/component-base/version.gitMinor={minor}"
    " -X k8s.io/component-base/version.gitTreeState=clean"
)
CONTAINERD_VERSION = "-X github.com/containerd/containerd/v2/version.Version={version}"
BUILD = ("build", "-trimpath", "-gcflags=all=-dwarf=false")
# Without cgo a binary runs on any Linux, and the kubelet builds in seconds once its siblings are built.
BUILD_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}


@dataclass(frozen=True)
class Tool:
    """One program: the folder of its go.mod, its package, and how it learns its own version."""

    name: str
    folder: str
    package: str
    module: str = ""
    stamp: str = ""


def _kubernetes(name: str) -> Tool:
    return Tool(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", KUBERNETES_VERSION)


def _containerd(name: str) -> Tool:
    module = "github.com/containerd/containerd/v2"
    return Tool(name, "containerd", f"{module}/cmd/{name}", module, CONTAINERD_VERSION)


# In the order in which `up` needs them.
TOOLS = (
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2"),
    _containerd("ctr"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    Tool("coredns", "coredns", ".", "github.com/coredns/coredns"),
)


KIND = Tool("kind", "kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind")
CTR = next(tool for tool in TOOLS if tool.name == "ctr")


class Programs:
    """Where each program's binary is; what is missing is built one after the other in the background."""

    def __init__(self, layout: Layout, progress: Progress, jobs: Jobs, tools: tuple[Tool, ...] = TOOLS) -> None:
        self._layout = layout
        self._progress = progress
        self._jobs = jobs
        self._missing = [tool for tool in tools if not binary(layout, tool).exists()]
        progress.expect(len(self._missing))
        self._pool = ThreadPoolExecutor(1, "build")
        self._built = {tool.name: self._pool.submit(self._ensure, tool) for tool in tools}
        if self._missing:
            self._pool.submit(self._drop_build_cache)

    def __getitem__(self, name: str) -> Path:
        """Wait for it to be built."""
        return self._built[name].result()

    def close(self) -> None:
        """Start no further build."""
        self._pool.shutdown(cancel_futures=True)

    def _ensure(self, tool: Tool) -> Path:
        path = binary(self._layout, tool)
        if tool in self._missing:
            with self._progress.building(tool.name), exclusive(self._layout.cache / "programs.lock"):
                if not path.exists():
                    build(self._layout, tool, self._jobs)
        return path

    def _drop_build_cache(self) -> None:
        """Delete several gigabytes that serve only the programs just built; a cache the person chose is theirs."""
        if all(future.exception() is None for future in self._built.values()):
            with exclusive(self._layout.cache / "programs.lock"):
                shutil.rmtree(_build_cache(self._layout), ignore_errors=True)


def binary(layout: Layout, tool: Tool) -> Path:
    """Keyed by all that goes into it, so that a changed pin or flag builds anew."""
    folder = layout.tools / tool.folder
    digest = hashlib.sha256(repr((tool, BUILD, sorted(BUILD_ENVIRONMENT.items()))).encode())
    for source in ("go.mod", "go.sum", "main.go"):
        if (folder / source).exists():
            digest.update((folder / source).read_bytes())
    return layout.cache / "bin" / f"{tool.name}-{version(layout, tool)}-{digest.hexdigest()[:12]}" / tool.name


def version(layout: Layout, tool: Tool) -> str:
    """As its go.mod pins it: `v1.37.2`."""
    pins = (layout.tools / tool.folder / "go.mod").read_text()
    match = re.search(rf"^\s*(?:require )?{re.escape(tool.module)} (v\S+)", pins, re.MULTILINE)
    if match is None:
        raise ValueError(f"dev/tools/{tool.folder}/go.mod does not pin {tool.module}")
    return match[1]


def build(layout: Layout, tool: Tool, jobs: Jobs) -> None:
    """Under a name of its own until it is whole: an interrupted build leaves nothing that looks finished."""
    module = layout.tools / tool.folder
    target = binary(layout, tool)
    unfinished = target.with_suffix(f".{os.getpid()}")
    # The folder is this binary's alone: what lies there is of a build that was killed.
    shutil.rmtree(target.parent, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    log = layout.logs / f"build-{tool.name}.log"
    go = golang.toolchain(golang.wanted_version(module), layout.cache)
    argv = [str(go), *BUILD, "-ldflags", f"-s -w {_stamp(layout, tool)}", "-o", str(unfinished), tool.package]
    environment = {"GOCACHE": str(_build_cache(layout)), **os.environ, **BUILD_ENVIRONMENT}
    try:
        if not jobs.run(argv, log, cwd=module, env=environment):
            raise UnfitError(f"Building {tool.name} failed; read {log}, then `make up` again: it goes on from here.")
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def _stamp(layout: Layout, tool: Tool) -> str:
    pinned = version(layout, tool)
    major, minor, *_ = pinned.removeprefix("v").split(".")
    return tool.stamp.format(version=pinned, major=major, minor=minor)


def _build_cache(layout: Layout) -> Path:
    return layout.cache / "go-build"
