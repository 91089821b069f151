"""This project on the cluster: its CRD, its operator, the sample, and a picture as proof."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, established, kubectl
from dev.cluster.paths import write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dev.cluster.paths import Layout
    from dev.cluster.progress import Progress

OPERATOR = ("deployment/text-to-image-operator", "--namespace=text-to-image-system")
SAMPLE = ("t2iservice/text-to-image", "--namespace=text-to-image")
MANIFESTS = ("k8s/eks/namespace.yaml", "manifests/samples/text-to-image.yaml")
PROMPT = "moonrise over blue mountains"
PATIENCE = "180s"
# Where no stack of ours is installed; the sample's Jaeger is the operator's own and is there all the same.
CHART = """\
The service has its own Jaeger. For Prometheus, Alertmanager and Grafana take the community's chart with
manifests/kube-prometheus-stack/values.yaml: README, "On your own cluster"."""
CRD = "texttoimageservices.texttoimage.dev"
# The third thing to try: the tests, on the cluster that they are for, else what is sure to harm nothing.
PROVE = "make test"
EXPLAIN = "kubectl explain t2i.spec                                                  # every field"


@dataclass(frozen=True)
class App:
    """Installs with the given images, and proves that what comes out draws."""

    layout: Layout
    progress: Progress
    operator_image: str
    service_image: str

    def up(self) -> None:
        """Apply everything again: what is as it should be stays as it is."""
        self.progress.expect(3)
        with self.progress.step("operator"):
            self._install()
        with self.progress.step("sample service"):
            self._sample()
        with self.progress.step("a picture"):
            self._draw()

    def installed(self) -> bool:
        """Tell whether the sample is there already."""
        return agrees(self.layout, "get", *SAMPLE)

    @property
    def picture(self) -> Path:
        """Return where the picture is saved."""
        return self.layout.local / "picture.png"

    def report(self, third: str = PROVE) -> str:
        """Return what the person is left with: the table, the picture, and three things to try."""
        return "\n".join(
            [
                kubectl(self.layout, "get", "t2iservices", "--all-namespaces").rstrip(),
                "",
                f"A picture of “{PROMPT}”: {self.picture}",
                "",
                "Next:",
                # The person's own kubectl if there is one, else ours.
                f'  export KUBECONFIG="{self.layout.kubeconfig}" PATH="$PATH:{self.layout.kubectl.parent}"',
                "  kubectl port-forward svc/text-to-image-service 8080:80 -n text-to-image   # then http://localhost:8080",
                "  kubectl edit t2i text-to-image -n text-to-image                           # replicas: 3, say",
                f"  {third}",
            ]
        )

    def _install(self) -> None:
        self._apply("--filename", self.layout.checkout / "crds")
        established(partial(kubectl, self.layout), f"crd/{CRD}")
        self._apply("--kustomize", self._overlay())
        if not agrees(self.layout, "rollout", "status", *OPERATOR, f"--timeout={PATIENCE}"):
            raise UnfitError(f"The operator does not get ready; see `kubectl logs {' '.join(OPERATOR)}`.")

    def _apply(self, how: str, source: Path) -> None:
        """Make whatever is on it what is in the files: the cluster is this checkout's own."""
        kubectl(self.layout, "apply", "--server-side", "--force-conflicts", how, str(source))

    def _overlay(self) -> Path:
        overlay = self.layout.etc / "install"
        write(overlay / "kustomization.yaml", json.dumps(self._kustomization(), indent=1))
        return overlay

    def _kustomization(self) -> dict[str, object]:
        """Return the published manifests with the images that were just built."""
        repository, tag = self.operator_image.rsplit(":", 1)
        environment = [{"name": "T2I_SERVICE_IMAGE", "value": self.service_image}]
        patch = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "text-to-image-operator"},
            "spec": {"template": {"spec": {"containers": [{"name": "operator", "env": environment}]}}},
        }
        return {
            "resources": ["../../../manifests/base"],
            "images": [{"name": "ghcr.io/text-to-image/operator", "newName": repository, "newTag": tag}],
            "patches": [{"patch": json.dumps(patch)}],
        }

    def _sample(self) -> None:
        """Make it where it is not: what a person has made of it since is theirs."""
        if not self.installed():
            for manifest in MANIFESTS:
                self._apply("--filename", self.layout.checkout / manifest)
        if not agrees(self.layout, "wait", "--for=condition=Ready", *SAMPLE, f"--timeout={PATIENCE}"):
            why = kubectl(
                self.layout, "get", *SAMPLE, "--output=jsonpath={.status.conditions[?(@.type=='Ready')].message}"
            )
            raise UnfitError(f"The sample service does not get ready: {why or 'its status is empty'}")

    def _draw(self) -> None:
        request = {"prompt": PROMPT, "width": 768, "height": 512}
        with self._forwarded() as url:
            try:
                answer = _post(f"{url}/generate", request)
            except (urllib.error.URLError, TimeoutError) as error:
                raise UnfitError(f"The sample service did not draw: {error}; its pods' logs say more.") from error
        self.picture.write_bytes(base64.b64decode(answer["images"][0]["b64_json"]))

    @contextmanager
    def _forwarded(self) -> Iterator[str]:
        """Open a way in that every kind of cluster has."""
        command = [
            str(self.layout.kubectl), f"--kubeconfig={self.layout.kubeconfig}", "port-forward",
            "--namespace=text-to-image", "service/text-to-image-service", ":80",
        ]  # fmt: skip
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as forward:
            try:
                line = forward.stdout.readline() if forward.stdout else ""
                port = re.search(r"127\.0\.0\.1:(\d+)", line)
                if port is None:
                    raise UnfitError(f"`kubectl port-forward` to the sample service failed: {_rest(forward)}")
                yield f"http://127.0.0.1:{port[1]}"
            finally:
                forward.terminate()


def _post(url: str, body: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=120) as response:  # noqa: S310
        answer: dict[str, list[dict[str, str]]] = json.load(response)
    return answer


def _rest(process: subprocess.Popen[str]) -> str:
    process.terminate()
    return process.communicate()[1].strip()
