"""The ground holds: what a cluster's user expects works on this one, through the real programs and nothing else."""

import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import network
from dev.cluster.images import Image
from dev.cluster.paths import Layout
from dev.cluster.store import Store
from dev.cluster.tools import CTR
from dev.cluster.workshop import workshop
from dev.stack.install import restart
from tests.kubectl import KubectlError
from tests.waiting import eventually

Kubectl = Callable[..., str]
PAGE = "served by a pod"


def pod(name: str, image: str, script: str, **container: Any) -> dict[str, Any]:
    """Return a pod that restricted Pod Security admits, running a shell script."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "imagePullPolicy": "Never",
                    "command": ["/bin/sh", "-c", script],
                    "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    **container,
                }
            ],
        },
    }


FRONT = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "front"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
}


@pytest.fixture
def here(kubectl: Kubectl, namespace: str) -> Kubectl:
    return lambda *argv, **options: kubectl("--namespace", namespace, *argv, **options)


@pytest.fixture
def web(here: Kubectl, toolbox: str) -> str:
    """Return the name of a pod that serves a page behind the Service `front`, and logs what it is asked."""
    script = f"cd /tmp && echo '{PAGE}' > index.html && exec python3 -m http.server 8080"
    body = pod("web", toolbox, script, volumeMounts=[{"name": "tmp", "mountPath": "/tmp"}])
    body["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    body["spec"]["containers"][0]["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    for each in (body, FRONT):
        here("create", "--filename=-", input=json.dumps(each))
    here("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    address = here("get", "service", "front", "--output=jsonpath={.spec.clusterIP}")
    eventually(lambda: answers(f"http://{address}"), "kube-proxy to lead to the pod")
    return "web"


def fetch(*urls: str) -> list[str]:
    """Return the command by which a pod prints what is at these addresses."""
    code = "import sys, urllib.request as r; [print(r.urlopen(u).read().decode().strip()) for u in sys.argv[1:]]"
    return ["python3", "-c", code, *urls]


def answers(url: str) -> bool:
    try:
        return page(url, seconds=5) == PAGE
    except OSError:
        return False


def page(url: str, seconds: float = 30) -> str:
    text: str = urllib.request.urlopen(url, timeout=seconds).read().decode()  # noqa: S310 - this cluster's own
    return text.strip()


def test_exec_runs_in_a_pod_of_the_restricted_user(here: Kubectl, web: str) -> None:
    assert here("exec", web, "--", "id", "-u").strip() == "65532"
    with pytest.raises(KubectlError, match="Read-only file system"):
        here("exec", web, "--", "touch", "/here")


def test_logs_show_what_a_pod_printed(here: Kubectl, web: str) -> None:
    here("exec", web, "--", *fetch("http://127.0.0.1:8080/index.html"))
    eventually(lambda: '"GET /index.html' in here("logs", web), "the line of the request", 10)


@contextmanager
def forwarded(cluster: Layout, namespace: str, target: str) -> Iterator[str]:
    command = [
        str(cluster.kubectl),
        f"--kubeconfig={cluster.kubeconfig}",
        "port-forward",
        "-n",
        namespace,
        target,
        ":80",
    ]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as forward:  # noqa: S603
        assert forward.stdout
        try:
            yield "http://" + forward.stdout.readline().split()[2]
        finally:
            forward.terminate()


def test_port_forward_reaches_a_pod_through_its_service(cluster: Layout, namespace: str, web: str) -> None:
    with forwarded(cluster, namespace, "service/front") as url:
        assert page(url) == PAGE


def test_a_pod_finds_a_service_by_its_short_and_its_long_name(here: Kubectl, namespace: str, web: str) -> None:
    names = ("front", f"front.{namespace}.svc", f"front.{namespace}.svc.cluster.local")
    printed = here("exec", web, "--", *fetch(*(f"http://{name}" for name in names)))
    assert printed.splitlines() == [PAGE] * len(names)


def test_a_node_port_is_open_on_the_node_and_nowhere_else(here: Kubectl, web: str) -> None:
    here("patch", "service", "front", "--patch", json.dumps({"spec": {"type": "NodePort"}}))
    port = int(here("get", "service", "front", "--output=jsonpath={.spec.ports[0].nodePort}"))
    url = f"http://{network.NODE_IP}:{port}"
    eventually(lambda: answers(url), "the port to be open", 10)
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=2):
        pass


ASK_API_SERVER = """
import pathlib, ssl, urllib.request
account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
trust = ssl.create_default_context(cafile=account / "ca.crt")
headers = {"Authorization": "Bearer " + (account / "token").read_text()}
request = urllib.request.Request("https://kubernetes.default/version", headers=headers)
print(urllib.request.urlopen(request, context=trust, timeout=10).status)
"""


def test_a_pod_reaches_the_api_server_with_its_own_token(here: Kubectl, web: str) -> None:
    assert here("exec", web, "--", "python3", "-c", ASK_API_SERVER).strip() == "200"


def test_names_outside_the_cluster_go_to_the_machines_resolvers(here: Kubectl, web: str) -> None:
    name = "does-not-exist.invalid"
    with pytest.raises(socket.gaierror) as on_this_machine:
        socket.getaddrinfo(name, 80)
    with pytest.raises(KubectlError, match=re.escape(str(on_this_machine.value.strerror))):
        here("exec", web, "--", "python3", "-c", f"import socket; socket.getaddrinfo('{name}', 80)")


def test_restricted_pod_security_refuses_a_privileged_pod(here: Kubectl, toolbox: str) -> None:
    body = pod("privileged", toolbox, "true", securityContext={"privileged": True})
    with pytest.raises(KubectlError, match='violates PodSecurity "restricted'):
        here("create", "--filename=-", input=json.dumps(body))


def test_a_memory_limit_is_kept(here: Kubectl, toolbox: str) -> None:
    # Not at once: containerd hears of no memory that ran out before it began to watch.
    body = pod("greedy", toolbox, "sleep 1; exec tail /dev/zero")
    here("create", "--filename=-", input=json.dumps(body))
    here("wait", "--for=jsonpath={.status.phase}=Failed", "pod/greedy", "--timeout=60s")
    reason = "--output=jsonpath={.status.containerStatuses[0].state.terminated.reason}"
    assert here("get", "pod", "greedy", reason) == "OOMKilled"


def test_a_changed_config_map_reaches_its_pods_within_seconds(here: Kubectl, toolbox: str) -> None:
    here("create", "configmap", "settings", "--from-literal=word=before")
    body = pod("reader", toolbox, "until grep -q after /etc/settings/word; do sleep 0.2; done; cat /etc/settings/word")
    body["spec"]["volumes"] = [{"name": "settings", "configMap": {"name": "settings"}}]
    body["spec"]["containers"][0]["volumeMounts"] = [{"name": "settings", "mountPath": "/etc/settings"}]
    here("create", "--filename=-", input=json.dumps(body))
    here("wait", "--for=condition=Ready", "pod/reader", "--timeout=60s")
    here("patch", "configmap", "settings", "--patch", '{"data": {"word": "after"}}')
    here("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/reader", "--timeout=40s")


SAYS_ITS_WORD = """
FROM scratch
COPY busybox word /
ENTRYPOINT ["/busybox", "sh", "-c", "/busybox cat /word; exec /busybox sleep 3600"]
"""


def test_an_image_that_was_built_again_under_its_name_is_what_its_pods_run(
    cluster: Layout, here: Kubectl, namespace: str, tmp_path: Path
) -> None:
    """As when the pin of Jaeger is moved and the cluster is up: the name that manifests have stays the same."""
    (dockerfile := tmp_path / "Dockerfile").write_text(SAYS_ITS_WORD)
    name = f"localhost/text-to-image/word:{namespace}"

    def image(word: str) -> Image:
        files = {"busybox": Path("/bin/busybox"), "word": f"{word}\n".encode()}
        return Image("localhost/text-to-image/word", dockerfile, files, published=name)

    def says(word: str) -> bool:
        try:
            return here("logs", "deployment/word") == f"{word}\n"
        except KubectlError:  # its container is being created
            return False

    with workshop(cluster) as shop:
        store, (archives, _) = Store(shop.programs((CTR,))["ctr"]), shop.archives()
        assert store.load(name, archives[image("before")]) is False
        assert store.load(name, archives[image("before")]) is False
        body = pod("word", name, "")
        del body["spec"]["containers"][0]["command"]
        template = {"metadata": body["metadata"], "spec": {**body["spec"], "restartPolicy": "Always"}}
        spec = {"selector": {"matchLabels": body["metadata"]["labels"]}, "template": template}
        deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "word"}, "spec": spec}
        here("create", "--filename=-", input=json.dumps(deployment))
        eventually(lambda: says("before"), "the first image to run", 60)
        assert store.load(name, archives[image("after")]) is True

    restart(cluster, {name})
    eventually(lambda: says("after"), "the second image to run", 60)


def test_the_audit_log_says_who_wrote_and_with_what(cluster: Layout, here: Kubectl, namespace: str) -> None:
    here("create", "configmap", "witness")
    here("get", "configmap", "witness")
    entries = [json.loads(line) for line in cluster.audit_log.read_text().splitlines() if '"witness"' in line]
    ours = [entry for entry in entries if entry["objectRef"]["namespace"] == namespace]
    assert [(entry["verb"], entry["user"]["username"]) for entry in ours] == [("create", "kubernetes-admin")]
    assert ours[0]["userAgent"].startswith("kubectl/")
    assert ours[0]["level"] == "Metadata"


def test_the_kubeconfig_is_readable_by_its_owner_alone(cluster: Layout) -> None:
    assert cluster.kubeconfig.stat().st_mode & 0o077 == 0
