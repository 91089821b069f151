"""What the operator's benchmark needs on the cluster, and takes away again."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev.bench.audit import Audit
from dev.bench.client import ask, side_by_side
from dev.bench.pod import PodAccount
from dev.bench.recorder import Subject
from dev.cluster.errors import UnfitError
from dev.cluster.kubectl import agrees, established, kubectl
from dev.cluster.paths import Layout
from dev.cluster.waiting import until
from dev.stack.install import custom_resources
from tests.cluster.operators import kubeconfig_of, rights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import aiohttp

SERVICES = "/apis/texttoimage.dev/v1alpha1/namespaces/{}/texttoimageservices"
# Selects everything, and is never run: without it the operator would look for one again and again.
PROMETHEUS = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "Prometheus",
    "metadata": {"name": "bench"},
    "spec": {
        "paused": True,
        "serviceMonitorSelector": {},
        "serviceMonitorNamespaceSelector": {},
        "ruleSelector": {},
        "ruleNamespaceSelector": {},
    },
}
# Operators of the cluster that would act on what is made here, the second with half a processor.
OPERATORS = (("text-to-image-system", "text-to-image-operator"), ("monitoring", "prometheus-operator"))
# Every child that runs no pod: a Jaeger of its own would be a pod for each, and an autoscaler keeps one at least.
SPEC: dict[str, Any] = {
    "replicas": 0,
    "models": [{"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.01"}}],
    "networkPolicy": {"mode": "Managed"},
    "ingress": {"host": "images.example.com"},
    "monitoring": {
        "alerts": {"receivers": [{"name": "mail", "email": {"to": "a@example.com"}}]},
        "tracing": {"mode": "External", "endpoint": "http://collector.observability:4317"},
    },
}


@dataclass(frozen=True)
class Scene:
    """A class of its own, an account with the manifests' rights, and namespaces that end with the benchmark."""

    layout: Layout
    account: PodAccount
    unfinished: ExitStack

    def namespace(self, name: str) -> str:
        """Make a namespace; it is gone at the end."""
        full = f"{self.account.class_name}-{name}"
        kubectl(self.layout, "create", "namespace", full)
        self.unfinished.callback(self.gone, full)
        return full

    def gone(self, namespace: str) -> None:
        """Delete a namespace and wait until nothing of it is left to disturb what is measured next."""
        kubectl(self.layout, "delete", "namespace", namespace, "--ignore-not-found")

    def audit(self, namespace: str) -> Audit:
        """Return the record of writes to one namespace."""
        return Audit(self.layout.audit_log, namespace)

    async def resources(
        self, admin: aiohttp.ClientSession, namespace: str, count: int, class_name: str, spec: dict[str, Any] = SPEC
    ) -> list[Subject]:
        """Make so many resources of a class."""
        made: list[Subject] = []

        async def make(number: int) -> None:
            made.append(await self.resource(admin, namespace, f"pictures-{number:05}", class_name, spec))

        await side_by_side(partial(make, number) for number in range(1, count + 1))
        return sorted(made)

    async def resource(
        self, admin: aiohttp.ClientSession, namespace: str, name: str, class_name: str, spec: dict[str, Any] = SPEC
    ) -> Subject:
        """Make one."""
        body = {
            "apiVersion": "texttoimage.dev/v1alpha1",
            "kind": "TextToImageService",
            "metadata": {"name": name},
            "spec": {"className": class_name, **spec},
        }
        live = await ask(admin, "POST", SERVICES.format(namespace), body)
        return Subject(name, namespace, live["metadata"]["uid"])


@contextmanager
def scene() -> Iterator[Scene]:
    """Bring up what is missing, and leave the cluster as it was found."""
    layout = Layout.of_this_checkout()
    up = [sys.executable, "-m", "dev.cluster", "up", "--on=embedded", "--no-app"]
    if subprocess.run(up, check=False).returncode:
        raise UnfitError("The cluster did not come up; what is printed above says why.")
    run = partial(kubectl, layout)
    with ExitStack() as unfinished:
        _install(layout, unfinished)
        _rest(layout, unfinished)
        class_name = f"bench-{uuid.uuid4().hex[:6]}"
        place = Path(unfinished.enter_context(tempfile.TemporaryDirectory()))
        lease = f"text-to-image-operator-{class_name}"
        run("create", "namespace", class_name)
        unfinished.callback(run, "delete", "namespace", class_name)
        unfinished.callback(run, "delete", "clusterrolebinding,clusterrole", lease, "--ignore-not-found")
        rights(_for_tests(layout), layout.checkout / "manifests/base", class_name, lease)
        kubeconfig = kubeconfig_of(_for_tests(layout), layout.kubeconfig, class_name, place / "kubeconfig")
        run("apply", "--server-side", f"--namespace={class_name}", "--filename=-", feed=json.dumps(PROMETHEUS))
        yield Scene(layout, PodAccount(class_name, kubeconfig, place), unfinished)


def _install(layout: Layout, unfinished: ExitStack) -> None:
    """Install the kinds that are missing; those are taken away in the end."""
    ours, theirs = "texttoimageservices.texttoimage.dev", "prometheuses.monitoring.coreos.com"
    before = set(kubectl(layout, "get", "crd", "--output=name").split())
    if not agrees(layout, "get", "crd", theirs):
        custom_resources(layout)
    kubectl(layout, "apply", "--server-side", "--force-conflicts", f"--filename={layout.checkout / 'crds'}")
    established(partial(kubectl, layout), f"crd/{ours}")
    new = set(kubectl(layout, "get", "crd", "--output=name").split()) - before
    if new:
        unfinished.callback(kubectl, layout, "delete", *sorted(new))


def _rest(layout: Layout, unfinished: ExitStack) -> None:
    """Stop the operators of the cluster until the end."""
    for namespace, name in OPERATORS:
        which = (f"deployment/{name}", f"--namespace={namespace}")
        replicas = kubectl(layout, "get", *which, "--ignore-not-found", "--output=jsonpath={.spec.replicas}")
        if replicas:
            unfinished.callback(kubectl, layout, "scale", *which, f"--replicas={replicas}")
            kubectl(layout, "scale", *which, "--replicas=0")
            pods = ("pod", f"--selector=app.kubernetes.io/name={name}", f"--namespace={namespace}")
            if not until(partial(_none_runs, layout, pods), seconds=60):
                raise UnfitError(f"The pods of {name} do not end; `kubectl describe pod -n {namespace}` says why.")


def _none_runs(layout: Layout, which: tuple[str, ...]) -> bool:
    return not kubectl(layout, "get", *which, "--field-selector=status.phase!=Failed", "--output=name")


def _for_tests(layout: Layout) -> Callable[..., str]:
    """Return kubectl as the helpers of the tests call it."""

    def run(*argv: str, input: str | None = None) -> str:  # noqa: A002 - as in subprocess
        return kubectl(layout, *argv, feed=input)

    return run
