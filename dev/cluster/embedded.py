"""The embedded cluster: real etcd, control plane, node and DNS on this very machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from dev.cluster import catalog, machine, network, node, pki, processes
from dev.cluster.controlplane import ControlPlane
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, kubectl
from dev.cluster.store import Store
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.cluster.archives import Archives
    from dev.cluster.images import Image
    from dev.cluster.paths import Layout
    from dev.cluster.processes import Daemon
    from dev.cluster.progress import Progress
    from dev.cluster.tools import Programs

STARTUP = 90.0
DNS_MANIFEST = Path(__file__).parent / "etc" / "coredns.yaml"


@dataclass(frozen=True)
class Embedded:
    """Brings every component up, in the order in which they need one another."""

    layout: Layout
    programs: Programs
    archives: Archives
    progress: Progress

    def up(self) -> None:
        """Start what does not run and wait until it serves."""
        self.progress.expect(3)
        machine.apply_sysctls(machine.NEEDED_SYSCTLS)
        network.ensure()
        pki.ensure(self.layout.pki)
        plane = ControlPlane(self.layout)
        plane.write_kubeconfigs()
        with self.progress.step("control plane"):
            self._control_plane(plane)
        with self.progress.step("node"):
            self._node(plane)
        with self.progress.step("DNS"):
            self._dns()

    def _control_plane(self, plane: ControlPlane) -> None:
        processes.ensure(plane.etcd(self.programs["etcd"]))
        api_server = plane.api_server(self.programs["kube-apiserver"])
        processes.ensure(api_server)
        self._wait(api_server, lambda: agrees(self.layout, "get", "--raw", "/readyz"))
        processes.ensure(plane.controller_manager(self.programs["kube-controller-manager"]))
        processes.ensure(plane.scheduler(self.programs["kube-scheduler"]))

    def _node(self, plane: ControlPlane) -> None:
        sandbox = catalog.busybox()
        this = node.Node(self.layout, sandbox.reference)
        for hierarchy in machine.cgroup_hierarchies():
            (hierarchy / node.CGROUP.strip("/")).mkdir(exist_ok=True)
        containerd = this.containerd(self.programs["containerd"], self.programs["containerd-shim-runc-v2"])
        processes.ensure(containerd)
        self._wait(containerd, self.store.answers)
        self.load(sandbox)
        kubelet = this.kubelet(self.programs["kubelet"], plane.client_config("kubelet"))
        processes.ensure(kubelet)
        processes.ensure(this.kube_proxy(self.programs["kube-proxy"], plane.client_config("kube-proxy")))
        ready = ("wait", "--for=condition=Ready", f"node/{network.NODE_NAME}", "--timeout=1s")
        self._wait(kubelet, lambda: agrees(self.layout, *ready))

    def _dns(self) -> None:
        image = catalog.coredns(self.programs["coredns"])
        self.load(image)
        values = {"COREDNS_IMAGE": image.reference, "DNS_SERVICE_IP": network.DNS_SERVICE_IP}
        manifest = Template(DNS_MANIFEST.read_text()).substitute(values)
        kubectl(self.layout, "apply", "--server-side", "--filename=-", feed=manifest)
        kubectl(self.layout, "rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=90s")

    def load(self, image: Image) -> None:
        """Let pods run it; waits for it to be built."""
        self.store.load(image.reference, self.archives[image])

    @property
    def store(self) -> Store:
        """Return containerd's store of images."""
        return Store(self.programs["ctr"])

    def _wait(self, daemon: Daemon, ready: Callable[[], bool]) -> None:
        """Wait until it serves, or until it died, whichever comes first."""

        def dead() -> bool:
            return not processes.records()[daemon.name].identity.alive()

        if not until(lambda: dead() or ready(), seconds=STARTUP, every=0.2) or dead():
            verdict = "died" if dead() else f"is not ready after {STARTUP:.0f} s"
            raise UnfitError(f"{daemon.name} {verdict}; its log, {daemon.log}, says why. `make down` clears it away.")
