"""The stack on the local cluster: the Prometheus Operator and what it runs, metrics-server, Jaeger's image."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from dev.cluster import golang
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, established, kubectl
from dev.cluster.store import Store
from dev.cluster.tools import CTR
from dev.stack import catalog

if TYPE_CHECKING:
    from dev.cluster.archives import Archives
    from dev.cluster.images import Image
    from dev.cluster.paths import Layout
    from dev.cluster.tools import Programs
    from dev.cluster.workshop import Workshop

ETC = Path(__file__).parent / "etc"
MONITORING = "k8s/eks/monitoring.yaml"
WATCHED_OPERATOR = "manifests/monitoring"
NOBODY = 65534
PATIENCE = "--timeout=180s"
JAEGER = ("deployment/text-to-image-jaeger", "text-to-image")
WITHOUT_IMAGE = ("--selector=app.kubernetes.io/component=jaeger", "--field-selector=status.phase=Pending")
WAITS = (
    ("deployment/prometheus-operator", "monitoring"),
    ("deployment/metrics-server", "kube-system"),
    ("statefulset/prometheus-text-to-image", "monitoring"),
    ("statefulset/alertmanager-text-to-image", "monitoring"),
)


@dataclass(frozen=True)
class Stack:
    """Installs everything again: what is as it should be stays as it is."""

    layout: Layout
    shop: Workshop

    def up(self) -> None:
        """Build what is missing while what is there is installed."""
        programs = self.shop.programs((CTR, *catalog.TOOLS))
        archives, _ = self.shop.archives()
        servers = catalog.debian_images(archives.base.reference)
        archives.prepare(*servers)
        self.shop.progress.expect(3)
        with self.shop.progress.step("custom resources of the Prometheus Operator"):
            custom_resources(self.layout)
        with self.shop.progress.step("images of the stack"):
            images, rebuilt = self._load(programs, archives, servers)
        with self.shop.progress.step("Prometheus, Alertmanager, metrics-server, Jaeger"):
            try:
                self._apply(images)
            finally:  # the store has them already: another `up` would find nothing to do
                if rebuilt:
                    restart(self.layout, rebuilt)
            self._wait()

    def _load(self, programs: Programs, archives: Archives, servers: list[Image]) -> tuple[dict[str, str], set[str]]:
        """Return the names of the programs' images, and which of all names meant another image until now."""
        store = Store(programs["ctr"])
        built = {tool.name: catalog.go_image(tool, programs[tool.name]) for tool in catalog.TOOLS}
        names = [
            image.reference for image in (*built.values(), *servers) if store.load(image.reference, archives[image])
        ]
        return {name: image.reference for name, image in built.items()}, set(names)

    def _apply(self, images: dict[str, str]) -> None:
        values = {name.upper().replace("-", "_"): reference for name, reference in images.items()}
        values["VOLUMES"] = str(self._volumes())
        kubectl(self.layout, "apply", "--server-side", "--filename", str(self.layout.checkout / MONITORING))
        for manifest in sorted(ETC.glob("*.yaml")):
            text = Template(manifest.read_text()).substitute(values)
            kubectl(self.layout, "apply", "--server-side", "--force-conflicts", "--filename=-", feed=text)
        if agrees(self.layout, "get", "namespace", "text-to-image-system"):
            kubectl(self.layout, "apply", "--server-side", "--kustomize", str(self.layout.checkout / WATCHED_OPERATOR))

    def _volumes(self) -> Path:
        """Make the folders that pods write to as the user that they have; the kubelet would make them root's."""
        volumes = self.layout.data / "volumes"
        for name in ("prometheus", "alertmanager"):
            written = volumes / name / f"{name}-db"
            written.mkdir(parents=True, exist_ok=True)
            os.chown(written, NOBODY, NOBODY)
        return volumes

    def _wait(self) -> None:
        """Start the pods again that waited for Jaeger's image: the kubelet looks for it ever more rarely."""
        kubectl(self.layout, "delete", "pods", "--all-namespaces", *WITHOUT_IMAGE, "--wait=false")
        sample = agrees(self.layout, "get", JAEGER[0], f"--namespace={JAEGER[1]}")
        for what, namespace in (*WAITS, *([JAEGER] if sample else [])):
            kubectl(self.layout, "wait", "--for=create", what, f"--namespace={namespace}", PATIENCE)
            if not agrees(self.layout, "rollout", "status", what, f"--namespace={namespace}", PATIENCE):
                raise UnfitError(f"{what} does not get ready; see `kubectl describe {what} --namespace={namespace}`.")

    def report(self) -> str:
        """Say where everything is, as built here: Debian's Prometheus has the older pages, the others have none."""
        forward, here = "kubectl port-forward --namespace", "http://localhost"
        return "\n".join(
            [
                "Monitoring:",
                f"  {forward} monitoring svc/prometheus-operated 9090      # Prometheus: {here}:9090/classic/graph",
                f"  {forward} monitoring svc/alertmanager-operated 9093    # Alertmanager: {here}:9093/api/v2/alerts",
                f"  {forward} text-to-image svc/text-to-image-jaeger-query 16686   # Jaeger: {here}:16686/api/services",
                "  As built here, Prometheus has its older pages, the other two none; the published images have all.",
                "  kubectl top pods --namespace text-to-image",
                "  Dashboards: ConfigMaps labelled grafana_dashboard=1 for a Grafana with a sidecar; by hand:",
                "  kubectl get configmap text-to-image-dashboard-overview --namespace text-to-image"
                " --output jsonpath='{.data.*}' > overview.json   # then in Grafana: Dashboards, New, Import",
            ]
        )


def restart(layout: Layout, images: set[str]) -> None:
    """End the pods that run what these names meant before: nothing else tells their owners that it changed."""
    for pod in json.loads(kubectl(layout, "get", "pods", "--all-namespaces", "--output=json"))["items"]:
        if images & {container["image"] for container in pod["spec"]["containers"]}:
            named = (f"pod/{pod['metadata']['name']}", f"--namespace={pod['metadata']['namespace']}")
            kubectl(layout, "delete", *named, "--ignore-not-found", PATIENCE)


def custom_resources(layout: Layout) -> None:
    """Apply them on the server's side: on the client's, an annotation would have to hold each of them."""
    module = golang.downloaded(catalog.OPERATOR_MODULE, layout.tools / catalog.OPERATOR.folder, layout.cache)
    folder = module / "example" / "prometheus-operator-crd"
    kubectl(layout, "apply", "--server-side", "--force-conflicts", "--filename", str(folder))
    established(partial(kubectl, layout), "crd/prometheuses.monitoring.coreos.com")
