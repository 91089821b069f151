"""The person's own cluster, touched only when they name its context: no image is loaded there, it pulls its own."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev.cluster import catalog, ground
from dev.cluster.app import CHART, EXPLAIN
from dev.cluster.commands import BUSY
from dev.cluster.errors import UnfitError
from dev.cluster.guest import Guest
from dev.cluster.kubectl import agrees, kubectl
from dev.cluster.locks import exclusive
from dev.cluster.paths import write
from dev.cluster.workshop import workshop

if TYPE_CHECKING:
    from dev.cluster.paths import Layout
    from dev.cluster.workshop import Workshop

OURS = "--selector=app.kubernetes.io/part-of=text-to-image-operator"


@dataclass(frozen=True)
class Context:
    """A ground by its name in the person's kubeconfig."""

    name: str

    def up(self, layout: Layout, *, app: bool, stack: bool) -> str:
        """Install the operator and the sample; what observes them (`stack`) is the cluster's own, or the person's."""
        with exclusive(layout.local / "lock", BUSY), workshop(layout) as shop, ExitStack() as unfinished:
            theirs = self._found(layout)
            if ground.begun(layout) != self._ground:
                unfinished.callback(_leave, layout)
            # Before the kubeconfig leads there: whatever interrupts us, nothing takes that cluster for ours.
            ground.begin(layout, self._ground)
            self._adopt(layout, theirs)
            this = _guest(layout, shop)
            if app:
                this.check()
            unfinished.pop_all()
            if not app:
                return f"{self.name} answers: export KUBECONFIG={layout.kubeconfig}"
            pulled = f"{this.operator_image} and {this.service_image}"
            shop.progress.say(f"On {self.name}, with the images {pulled}, which it must be able to pull.")
            this.up()
            return this.report(EXPLAIN) + (f"\n\n{CHART}" if stack else "")

    def down(self, layout: Layout) -> str:
        """Remove what `up` made there; the CRD stays while resources of it do: it would take them along."""
        if ground.begun(layout) != self._ground:
            return f"This checkout made nothing on {self.name}."
        with exclusive(layout.local / "lock", BUSY), workshop(layout) as shop:
            self._adopt(layout, self._found(layout))
            left = _guest(layout, shop).remove()
            layout.kubeconfig.unlink(missing_ok=True)
        return f"What `make up` made on {self.name} is gone; {left}"

    def images(self, layout: Layout, names: tuple[str, ...]) -> str:
        """Refuse: there is no way in but a registry, and that is the person's."""
        del layout
        raise UnfitError(
            f"Images cannot be loaded into {self.name}; push {', '.join(names)} to a registry that it pulls from, "
            "and name them in T2I_OPERATOR_IMAGE and T2I_SERVICE_IMAGE."
        )

    def status(self, layout: Layout) -> str:
        """Say what of this project runs there."""
        if not agrees(layout, "get", "--raw", "/readyz"):
            return f"{self.name} does not answer."
        return kubectl(layout, "get", "pods", "--all-namespaces", OURS)

    @property
    def _ground(self) -> str:
        return f"{ground.CONTEXT} {self.name}"

    def _found(self, layout: Layout) -> str:
        """Return that context alone as a kubeconfig, so that no other cluster can be reached by mistake."""
        command = [str(layout.kubectl), "config", "view", "--minify", "--flatten", f"--context={self.name}"]
        answer = subprocess.run(command, check=False, text=True, capture_output=True)
        if answer.returncode != 0:
            raise UnfitError(f"kubectl knows no context {self.name}; `kubectl config get-contexts` lists yours.")
        return answer.stdout

    def _adopt(self, layout: Layout, kubeconfig: str) -> None:
        write(layout.kubeconfig, kubeconfig, mode=0o600)
        kubectl(layout, "config", "use-context", self.name)


def _leave(layout: Layout) -> None:
    layout.kubeconfig.unlink(missing_ok=True)
    ground.end(layout)


def _guest(layout: Layout, shop: Workshop) -> Guest:
    return Guest(layout, shop.progress, *(_image(layout, program) for program in catalog.PROGRAMS))


def _image(layout: Layout, program: str) -> str:
    """Return the published image, or the one that T2I_OPERATOR_IMAGE or T2I_SERVICE_IMAGE names."""
    published = f"{catalog.PUBLISHED}/{program}:{catalog.version(layout.checkout)}"
    return os.environ.get(f"T2I_{program.upper()}_IMAGE") or published
