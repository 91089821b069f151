"""The real operator as a process beside the test, with the rights that its manifests give it and a class of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from dev.bench.audit import lines
from tests.api import Api, Object
from tests.unit.operator.resources import UNOBSERVED
from tests.waiting import eventually

IMAGE = "ghcr.io/text-to-image/service:test"
PAGE_SECONDS = 30.0  # what is asked is what a page says, not how soon it does


class OperatorProcess:
    """One replica: started, stopped, killed or frozen by the test, which reads its log and metrics."""

    def __init__(self, kubeconfig: Path, log: Path, class_name: str, **settings: object) -> None:
        self.class_name, self.log, self.port = class_name, log, _kept_port()
        self.program: tuple[str, ...] = (sys.executable, "-m", "t2i_operator")
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("T2I_", "POD_"))},
            "KUBECONFIG": str(kubeconfig),
            "T2I_SERVICE_IMAGE": IMAGE,
            "T2I_OPERATOR_CLASS_NAME": class_name,
            "T2I_OPERATOR_LISTEN_PORT": str(self.port),
            **{f"T2I_OPERATOR_{name.upper()}": str(value) for name, value in settings.items()},
            "POD_NAME": log.stem,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0

    def start(self) -> None:
        """Start it, and wait until it listens or has ended: on a busy machine that is most of what a start takes.

        What an earlier process of this name has logged stays in the file.
        """
        with self.log.open("ab") as log:
            self._started_at = log.tell()
            self._process = subprocess.Popen(self.program, env=self._environment, stdout=log, stderr=log)  # noqa: S603
        eventually(
            lambda: not self.running() or self.get("/healthz").status_code, "the operator to listen", seconds=120
        )

    def leading(self) -> bool:
        return b'"event": "leading"' in self.log.read_bytes()[self._started_at :]

    def get(self, path: str) -> httpx.Response:
        """Ask one of its own pages."""
        # With `verify` certificates would be read each time, for 50 ms, although there is no TLS.
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PAGE_SECONDS, verify=False)  # noqa: S501

    @property
    def user_agent(self) -> str:
        """How the audit log names this replica."""
        return f"t2i-operator/{version('text-to-image-operator')} ({self.log.stem})"

    def wait_until_leading(self) -> None:
        eventually(lambda: self.leading() or not self.running(), "the operator to lead", seconds=120)
        assert self.running(), self.log.read_text()[-4000:]

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End the process and return its exit status; nothing when it has ended."""
        if self._process is None:
            return 0
        if self.running():
            self.send(number)
        return self._process.wait(timeout=30)

    def events(self, text: str) -> list[Object]:
        """Return what it has logged with this in it; it may be writing the last line."""
        lines = (line for line in self.log.read_text().split("\n")[:-1] if line.startswith("{"))
        return [json.loads(line) for line in lines if text in line]


def _kept_port() -> int:
    """Return a port that nobody else is given before the operator listens, nor between its stop and its next start.

    It stays bound while this process lives, and does not listen: the operator, which reuses addresses, may take it.
    """
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("", 0))
    port: int = keeper.getsockname()[1]
    keeper.detach()
    return port


def running(process: OperatorProcess) -> Iterator[OperatorProcess]:
    """Lend it while it leads; at the end it must go in peace and have met no bug of its own."""
    process.start()
    process.wait_until_leading()
    yield process
    assert process.stop() == 0
    bugs = process.events("by a bug")
    assert not bugs, bugs[0]


class OperatorAccount(NamedTuple):
    """Who an operator is on the cluster, and where its files go."""

    class_name: str
    kubeconfig: Path
    place: Path

    @property
    def username(self) -> str:
        return f"system:serviceaccount:{self.class_name}:operator"

    def process(self, name: str, **settings: object) -> OperatorProcess:
        settings = {"lease_namespace": self.class_name, **settings}
        return OperatorProcess(self.kubeconfig, self.place / f"{name}.log", self.class_name, **settings)


def rights(
    kubectl: Callable[..., str], manifests: Path, namespace: str, lease: str, namespaces: Sequence[str] = ()
) -> None:
    """Bind a ServiceAccount to the very roles that the manifests install, in some namespaces or in all."""
    account = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    cluster_role = next(yaml.safe_load_all((manifests / "role.yaml").read_text()))
    cluster_role["metadata"]["name"] = lease
    role = next(yaml.safe_load_all((manifests / "leader_election_role.yaml").read_text()))
    for rule in role["rules"]:
        if "resourceNames" in rule:
            rule["resourceNames"] = [lease]
    role["metadata"]["namespace"] = namespace
    bound = [{"name": lease, "namespace": each} for each in namespaces] or [{"name": lease}]
    objects = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator", "namespace": namespace}},
        cluster_role,
        *(_binding("ClusterRole", lease, account, where) for where in bound),
        role,
        _binding("Role", role["metadata"]["name"], account, {"name": "lease", "namespace": namespace}),
    ]
    kubectl(
        "apply", "--server-side", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    )


def _binding(kind: str, role: str, account: Object, metadata: Object) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if "namespace" in metadata else f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [account],
    }


def kubeconfig_of(kubectl: Callable[..., str], admin: Path, namespace: str, to: Path) -> Path:
    """Write a kubeconfig that holds a token of the ServiceAccount and nothing else."""
    config = yaml.safe_load(admin.read_text())
    token = kubectl("create", "token", "operator", "-n", namespace, "--duration=12h").strip()
    config["users"] = [{"name": config["users"][0]["name"], "user": {"token": token}}]
    to.touch(mode=0o600)
    to.write_text(yaml.safe_dump(config))
    return to


def writes(audit_log: Path, account: str, since: int) -> list[dict[str, Any]]:
    """Return what was written by a user since an offset into the audit log, Leases aside."""
    entries = [json.loads(line) for line in lines(audit_log, since)]
    return [
        entry
        for entry in entries
        if entry["user"]["username"] == account and entry.get("objectRef", {}).get("resource") != "leases"
    ]


def metric(operator: OperatorProcess, series: str) -> float:
    """Read one series of the operator's own metrics; 0 while it is not there."""
    exposition = operator.get("/metrics").text
    found = [line for line in exposition.splitlines() if line.startswith(f"{series} ")]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


class Service:
    """One `TextToImageService` of a test, in a namespace of its own."""

    def __init__(self, api: Api, namespace: str, class_name: str, name: str = "pictures") -> None:
        self.api, self.namespace, self.name, self.class_name = api, namespace, name, class_name

    def beside(self, what: str) -> "Service":
        """Return another one, which has this after its name."""
        return Service(self.api, self.namespace, self.class_name, f"{self.name}-{what}")

    def exists(self) -> bool:
        return self.api.find("texttoimageservices", self.namespace, self.name) is not None

    def create(self, **spec: Any) -> Object:
        """Create it with a model that needs nothing, no pods and nothing that observes it, unless the test says so."""
        models = [{"name": "sdxl", "provider": "Sandbox"}]
        body = {
            "apiVersion": "texttoimage.dev/v1alpha1",
            "kind": "TextToImageService",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {"className": self.class_name, "replicas": 0, "models": models, "monitoring": UNOBSERVED, **spec},
        }
        return self.api.create("texttoimageservices", self.namespace, body)

    def edit(self, **spec: Any) -> Object:
        return self.api.patch("texttoimageservices", self.namespace, self.name, {"spec": spec})

    def live(self) -> Object:
        return self.api.get("texttoimageservices", self.namespace, self.name)

    def child(self, plural: str, suffix: str = "") -> Object:
        return self.api.get(plural, self.namespace, self.name + suffix)

    def conditions(self) -> dict[str, Object]:
        """Return the conditions by type, when they speak of the newest generation."""
        live = self.live()
        status = live.get("status", {})
        assert status.get("observedGeneration") == live["metadata"]["generation"], status
        return {condition["type"]: condition for condition in status["conditions"]}

    def wait(self, condition: str, status: str, reason: str | None = None, seconds: float = 30.0) -> Object:
        def reached() -> Object:
            found = self.conditions()[condition]
            assert (found["status"], reason or found["reason"]) == (status, found["reason"]), found
            return found

        return eventually(reached, f"{condition}={status} {reason or ''}", seconds)

    def ready(self) -> Object:
        return self.wait("Ready", "True")

    def events(self, reason: str) -> list[Object]:
        return [
            event
            for event in self.api.list("events", self.namespace)
            if event["reason"] == reason and event["regarding"]["name"] == self.name
        ]

    def told(self, reason: str) -> list[Object]:
        """Return the events of a reason once there are any: the status, which tests wait on, is written before them."""
        return eventually(lambda: self.events(reason), f"an event of reason {reason}")
