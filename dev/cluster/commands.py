"""`up`, `down`, `status` and `images` of the embedded cluster; each returns what to tell the person."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

from dev.cluster import catalog, cleanup, ground, machine, packages, preflight, processes, space
from dev.cluster.app import App
from dev.cluster.embedded import Embedded
from dev.cluster.kubectl import agrees, kubectl
from dev.cluster.locks import exclusive
from dev.cluster.mounts import unmount_below
from dev.cluster.paths import MACHINE
from dev.cluster.stopwatch import Stopwatch
from dev.cluster.store import Store
from dev.cluster.tools import CTR
from dev.cluster.workshop import workshop
from dev.stack.install import Stack

if TYPE_CHECKING:
    from dev.cluster.paths import Layout
    from dev.cluster.workshop import Workshop

BUSY = "Another command of this checkout is at work on the cluster; waiting for it."


def up(layout: Layout, *, app: bool, stack: bool) -> str:
    """Bring the cluster up, or mend what died of it; safe to repeat and to interrupt."""
    preflight.check_person()
    with exclusive(layout.local / "lock", BUSY), workshop(layout) as shop, ExitStack() as unfinished:
        watch = Stopwatch(layout, shop.progress)
        if fresh := _take(layout, shop, space.wanted(app=app, stack=stack)):
            unfinished.callback(_give_back, layout)
        ground.begin(layout, ground.EMBEDDED)
        archives, images = shop.archives(catalog.PROGRAMS if app else ())
        cluster = Embedded(layout, shop.programs(), archives, shop.progress)
        cluster.up()
        # From here on there is a cluster worth looking into, whatever becomes of what is installed on it.
        unfinished.pop_all()
        if not app:
            return f"The cluster is up: export KUBECONFIG={layout.kubeconfig}"
        for image in images:
            cluster.load(image)
        this = App(layout, shop.progress, *(image.reference for image in images))
        watch.find(cluster=not fresh, sample=this.installed())
        this.up()
        watch.lap("the picture")
        if not stack:
            return f"{this.report()}\n\n{watch.report()}"
        shop.progress.say(f"The service is ready, and has drawn {this.picture}; the monitoring stack follows.")
        monitoring = Stack(layout, shop)
        monitoring.up()
        watch.lap("the monitoring stack")
        return f"{this.report()}\n\n{monitoring.report()}\n\n{watch.report()}"


def down(layout: Layout) -> str:
    """Give the machine back as it was."""
    preflight.check_person()
    with exclusive(layout.local / "lock", BUSY):
        machine.refuse_other(layout)
        return "The cluster is gone." if _give_back(layout) else "There is no cluster of this checkout."


def images(layout: Layout, names: tuple[str, ...]) -> str:
    """Build these images; a running cluster gets them."""
    preflight.check_person()
    with exclusive(layout.local / "lock", BUSY), workshop(layout) as shop:
        archives, built = shop.archives(names)
        store = Store(shop.programs((CTR,))["ctr"]) if _runs(layout) else None
        for image in built:
            archive = archives[image]
            if store:
                store.load(image.reference, archive)
        return "\n".join(f"{image.reference}  {archives[image]}" for image in built)


def status(layout: Layout) -> str:
    """Say what of the cluster runs."""
    if not _runs(layout):
        return "No cluster of this checkout runs; `make up` brings one up."
    lines = [
        f"{name:26}{'runs' if record.identity.alive() else 'died'}  pid {record.identity.pid}"
        for name, record in processes.records().items()
    ]
    if agrees(layout, "get", "--raw", "/readyz"):
        lines.append(kubectl(layout, "get", "nodes,pods", "--all-namespaces"))
    return "\n".join(lines)


def _runs(layout: Layout) -> bool:
    held = machine.read()
    return held is not None and held.checkout == str(layout.checkout) and held.alive()


def _take(layout: Layout, shop: Workshop, wanted: space.Wanted) -> bool:
    """Claim the machine for this checkout; True when nothing of its cluster runs yet."""
    with exclusive(machine.LOCK), ExitStack() as unclaimed:
        machine.refuse_other(layout)
        if _runs(layout):
            space.check(layout, wanted, running=True)
            machine.claim(layout)
            return False
        unclaimed.callback(_leave_unclaimed)
        if held := machine.read():
            _equip(layout, shop)
            shop.progress.say(f"Clearing away what a cluster of {held.checkout} left behind.")
            cleanup.clear(held)
        # A machine that was restarted has forgotten that there was a cluster; the checkout has not.
        cleanup.remove_state(layout.local)
        preflight.check_bare(layout, wanted)
        cleanup.turn_logs(layout.logs)
        _equip(layout, shop)
        preflight.check_equipped(layout)
        machine.claim(layout)
        return True


def _equip(layout: Layout, shop: Workshop) -> None:
    """Install the Debian packages that are missing: once all else is fit, for this is not undone."""
    if missing := packages.missing():
        shop.progress.expect(1)
        with shop.progress.step(f"installing {', '.join(missing)}"):
            packages.install(missing, layout.logs / "packages.log", shop.jobs)


def _leave_unclaimed() -> None:
    """Leave no trace on a machine that was refused."""
    if machine.read() is None:
        shutil.rmtree(MACHINE, ignore_errors=True)


def _give_back(layout: Layout) -> bool:
    with exclusive(machine.LOCK):
        held = machine.read()
        if held:
            cleanup.clear(held)
        else:
            shutil.rmtree(MACHINE)
        # buildah mounts its store over itself, and an interrupted build leaves more.
        unmount_below(layout.cache / "buildah")
        return held is not None
