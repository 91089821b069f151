"""A resource in a namespace of its own and the service that comes out of it, driven by kubectl and HTTP as users do."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from tests.waiting import eventually

T = TypeVar("T")
SANDBOX = {"models": [{"name": "sdxl", "provider": "Sandbox"}]}
PNG = b"\x89PNG\r\n\x1a\n"


def until(ask: Callable[[], T], what: str, seconds: float = 90.0) -> T:
    """Wait `eventually`, for as long as pods take, and ask less often: each kubectl is a process."""
    return eventually(ask, what, seconds, every=0.2)


def size_of(png: bytes) -> tuple[int, int]:
    assert png.startswith(PNG)
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


@dataclass
class Subject:
    """One `TextToImageService` and its objects."""

    kubectl: Callable[..., str]
    namespace: str
    name: str

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=service"

    def apply(self, spec: dict[str, Any]) -> None:
        body = {
            "apiVersion": "texttoimage.dev/v1alpha1",
            "kind": "TextToImageService",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": spec,
        }
        self.kubectl("apply", "-f", "-", input=json.dumps(body))

    def delete(self) -> None:
        """Delete it before its namespace goes: that keeps rules and monitors for as long as a pod drains."""
        self.kubectl("delete", "t2i", self.name, "-n", self.namespace, "--ignore-not-found", "--wait=false")

    def patch(self, patch: dict[str, Any]) -> None:
        self.kubectl("patch", "t2i", self.name, "-n", self.namespace, "--type=merge", "-p", json.dumps(patch))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        text = self.kubectl("get", kind, name, "-n", self.namespace, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    def resource(self) -> dict[str, Any]:
        return self.get("t2i", self.name)

    def condition(self, kind: str) -> dict[str, Any]:
        """Return the condition, or one of status Unknown while what it says is about an older generation."""
        resource = self.resource()
        generation = resource["metadata"]["generation"]
        found = [c for c in resource.get("status", {}).get("conditions", []) if c["type"] == kind]
        fresh = [c for c in found if c.get("observedGeneration") == generation]
        return fresh[0] if fresh else {"type": kind, "status": "Unknown", "reason": "Stale", "message": ""}

    def wait(self, kind: str, status: str, reason: str | None = None, seconds: float = 90.0) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            condition = self.condition(kind)
            assert condition["status"] == status, condition
            assert reason is None or condition["reason"] == reason, condition
            return condition

        return until(reached, f"{kind}={status} {reason or ''}", seconds)

    def ready(self, seconds: float = 120.0) -> None:
        self.wait("Ready", "True", seconds=seconds)

    def pods(self) -> list[dict[str, Any]]:
        """Return the service's pods, Jaeger's left out, that are not on their way out."""
        found = json.loads(self.kubectl("get", "pods", "-n", self.namespace, "-l", self.selector, "-o", "json"))
        return [pod for pod in found["items"] if "deletionTimestamp" not in pod["metadata"]]

    def pod_uids(self) -> set[str]:
        return {pod["metadata"]["uid"] for pod in self.pods()}

    def all_uids(self) -> set[str]:
        """Return those of pods on their way out, too: for a moment the Service still leads to them."""
        uids = "jsonpath={.items[*].metadata.uid}"
        return {*self.kubectl("get", "pods", "-n", self.namespace, "-l", self.selector, "-o", uids).split()}

    def url(self) -> str:
        """Return where this machine reaches the Service: its cluster address, which kube-proxy serves here too."""
        service = self.get("service", f"{self.name}-service")["spec"]
        return f"http://{service['clusterIP']}:{service['ports'][0]['port']}"

    def generate(self, prompt: str = "a lighthouse at dusk", **request: Any) -> httpx.Response:
        timeout = request.pop("timeout", 90.0)
        # A pod is ready a moment before kube-proxy leads to it: until then connections are refused.
        with httpx.Client(transport=httpx.HTTPTransport(retries=4), timeout=timeout) as client:
            return client.post(f"{self.url()}/generate", json={"prompt": prompt, **request})
