"""A cluster in Docker, by kind: for machines that have an engine, and for people who are not root.

CI has no Docker engine: this path is written with care and tried by hand.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dev.cluster import catalog, ground
from dev.cluster.app import CHART, EXPLAIN, App
from dev.cluster.commands import BUSY
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, kubectl
from dev.cluster.locks import exclusive
from dev.cluster.paths import write
from dev.cluster.run import output
from dev.cluster.tools import KIND
from dev.cluster.workshop import workshop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster.images import Image
    from dev.cluster.paths import Layout
    from dev.cluster.workshop import Workshop

NAME = "text-to-image"
BASE = "docker.io/library/python:3.13-slim-trixie"
NO_STACK = f"""

{CHART}
Prometheus and Alertmanager come with the embedded cluster only: `make down`, then `sudo make up ON=embedded`."""
CONFIG = Path(__file__).parent / "etc" / "kind.yaml"
POLICY = Path(__file__).parent / "etc" / "audit-policy.yaml"


def up(layout: Layout, *, app: bool, stack: bool) -> str:
    """Make the cluster unless it is there, and bring this project up on it; the stack needs the embedded one."""
    with _begun(layout) as shop:
        _refuse_other(layout, shop)
        ground.begin(layout, ground.KIND)
        _create(layout, shop)
        if not app:
            return f"The cluster is up: export KUBECONFIG={layout.kubeconfig}"
        built = [catalog.on_base(layout, name, BASE) for name in catalog.PROGRAMS]
        for image in built:
            _load(layout, shop, image)
        this = App(layout, shop.progress, *(image.reference for image in built))
        this.up()
        return this.report(EXPLAIN) + (NO_STACK if stack else "")


def down(layout: Layout) -> str:
    """Delete the cluster, if it is this checkout's."""
    if ground.begun(layout) != ground.KIND:
        return "There is no cluster of this checkout."
    with _begun(layout) as shop:
        _kind(layout, shop, "delete", "cluster", f"--name={NAME}")
        layout.kubeconfig.unlink(missing_ok=True)
    return "The cluster is gone."


def images(layout: Layout, names: tuple[str, ...]) -> str:
    """Build these images, and let the cluster have them."""
    with _begun(layout) as shop:
        built = [catalog.on_base(layout, name, BASE) for name in names]
        for image in built:
            _load(layout, shop, image)
    return "\n".join(f"{image.reference}  (in Docker)" for image in built)


def status(layout: Layout) -> str:
    """Say what runs."""
    if not agrees(layout, "get", "--raw", "/readyz"):
        return "The kind cluster does not answer; `make up` mends it."
    return kubectl(layout, "get", "nodes,pods", "--all-namespaces")


@contextmanager
def _begun(layout: Layout) -> Iterator[Workshop]:
    with exclusive(layout.local / "lock", BUSY), workshop(layout) as shop:
        yield shop


def _refuse_other(layout: Layout, shop: Workshop) -> None:
    """Leave another checkout's cluster alone: Docker gives the name once, and making ours would delete theirs."""
    if ground.begun(layout) != ground.KIND and NAME in output(str(shop.programs((KIND,))["kind"]), "get", "clusters"):
        raise UnfitError(
            f"A kind cluster {NAME} is there already, and not of this checkout: run `make down` where it was made, or "
            f"`kind delete cluster --name {NAME}`."
        )


def _create(layout: Layout, shop: Workshop) -> None:
    """Start it again where Docker was restarted; make it anew where it cannot be."""
    shop.progress.expect(1)
    with shop.progress.step("kind cluster"):
        if agrees(layout, "get", "--raw", "/readyz"):
            return
        config = layout.etc / "kind.yaml"
        write(config, configuration(layout))
        _kind(layout, shop, "delete", "cluster", f"--name={NAME}")
        create = ("create", "cluster", f"--name={NAME}", f"--config={config}", "--wait=120s")
        _kind(layout, shop, *create, f"--kubeconfig={layout.kubeconfig}")


def configuration(layout: Layout) -> str:
    """Return what kind is given: the node, with our folders in it."""
    return Template(CONFIG.read_text()).substitute(LOCAL=layout.local, POLICY=POLICY)


def _load(layout: Layout, shop: Workshop, image: Image) -> None:
    shop.progress.expect(1)
    with shop.progress.step(f"image {image.name}"), TemporaryDirectory(dir=layout.local) as context:
        image.stage(Path(context))
        arguments = [f"--build-arg={name}={value}" for name, value in image.arguments.items()]
        build = ["docker", "build", f"--file={image.dockerfile}", f"--tag={image.reference}", *arguments, context]
        log = layout.logs / f"image-{image.name}.log"
        if not shop.jobs.run(build, log):
            raise UnfitError(f"`docker build` of the image {image.name} failed; {log} says why.")
        _kind(layout, shop, "load", "docker-image", image.reference, f"--name={NAME}")


def _kind(layout: Layout, shop: Workshop, *argv: str) -> None:
    log = layout.logs / "kind.log"
    if not shop.jobs.run([str(shop.programs((KIND,))["kind"]), *argv], log):
        raise UnfitError(f"`kind {' '.join(argv[:2])}` failed; {log} says why.")
