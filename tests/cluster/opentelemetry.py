"""The OpenTelemetry operator itself: a process beside the cluster that looks after one namespace, webhooks and all."""

import base64
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from dev.bench.programs import free_port, running
from dev.cluster.network import NODE_IP
from dev.cluster.paths import Layout
from tests.api import Api
from tests.cluster.products import COLLECTORS, downloaded
from tests.programs import OPENTELEMETRY, OPENTELEMETRY_OPERATOR
from tests.waiting import eventually

# Its kinds beside that of collectors: the program does not start without them.
KINDS = ("instrumentations", "opampbridges", "targetallocators")
_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
_PLURALS = {
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
    "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
}


@contextmanager
def operating(program: Path, cluster: Layout, api: Api, namespace: str) -> Iterator[None]:
    """Run it until the block ends; what it defaults and refuses is of that namespace alone.

    Its certificate is the kubelet's: that is of the cluster's own authority, and for the address that it listens on.
    """
    port, probes = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        certificates = Path(folder, "k8s-webhook-server", "serving-certs")
        certificates.mkdir(parents=True)
        for ending in ("crt", "key"):
            shutil.copy(cluster.pki / f"kubelet-serving.{ending}", certificates / f"tls.{ending}")
        argv = [program, f"--webhook-port={port}", "--metrics-addr=0", f"--health-probe-addr=127.0.0.1:{probes}"]
        environment = {"KUBECONFIG": str(cluster.kubeconfig), "WATCH_NAMESPACE": namespace, "TMPDIR": folder}
        with running(argv, probes, "/readyz", environment):
            configurations = _webhooks(cluster, namespace, port)
            try:
                for path, body in configurations.items():
                    api.apply(path, body)
                eventually(lambda: _is_asked(api, namespace), "its webhooks to be asked")
                yield
            finally:
                for path in configurations:
                    if api.look(path):
                        api.request("DELETE", path)
                # Where it ended before it took its finalizer away, nobody else will.
                for each in api.list(COLLECTORS, namespace):
                    api.patch(COLLECTORS, namespace, each["metadata"]["name"], {"metadata": {"finalizers": None}})


def _is_asked(api: Api, namespace: str) -> bool:
    """Tell whether a collector is given defaults by now: what it has not given any, it refuses afterwards."""
    pipeline = {"receivers": ["otlp"], "exporters": ["debug"]}
    config = {"receivers": {"otlp": {"protocols": {"grpc": {}}}}, "exporters": {"debug": {}}}
    spec = {"config": config | {"service": {"pipelines": {"traces": pipeline}}}}
    body = {"apiVersion": "opentelemetry.io/v1beta1", "kind": "OpenTelemetryCollector", "spec": spec}
    made = api.request("POST", api.path(COLLECTORS, namespace), body | {"metadata": {"name": "tried"}}, dryRun="All")
    return "upgradeStrategy" in made["spec"]


def _webhooks(cluster: Layout, namespace: str, port: int) -> dict[str, dict[str, Any]]:
    """Return its own configurations by their paths, of its collectors' webhooks; pods are none of our business."""
    authority = base64.b64encode((cluster.pki / "ca.crt").read_bytes()).decode()
    manifests = downloaded(OPENTELEMETRY, OPENTELEMETRY_OPERATOR.folder) / "config/webhook/manifests.yaml"
    found = {}
    for body in yaml.safe_load_all(manifests.read_text()):
        body["metadata"]["name"] = f"{namespace}-{body['metadata']['name']}"
        body["webhooks"] = [each for each in body["webhooks"] if _is_of_collectors(each)]
        assert body["webhooks"], f"{manifests} has other webhooks than it had"
        for each in body["webhooks"]:
            url = f"https://{NODE_IP}:{port}{each['clientConfig']['service']['path']}"
            each["clientConfig"] = {"url": url, "caBundle": authority}
            each["namespaceSelector"] = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        found[f"{_WEBHOOKS}/{_PLURALS[body['kind']]}/{body['metadata']['name']}"] = body
    return found


def _is_of_collectors(webhook: dict[str, Any]) -> bool:
    return all(rule["resources"] == [COLLECTORS] for rule in webhook["rules"])
