"""The API server as a test sees it: plain JSON over one connection, so that waiting on a condition costs no process."""

import base64
import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

Object = dict[str, Any]
# The API server gives a write up after 34 seconds, and says so: that is more than we could.
_LIMIT = 40

_ROOTS = {
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
    "texttoimageservices": "/apis/texttoimage.dev/v1alpha1",
    "events": "/apis/events.k8s.io/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "poddisruptionbudgets": "/apis/policy/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "ingresses": "/apis/networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "gateways": "/apis/gateway.networking.k8s.io/v1",
    "grafanadashboards": "/apis/grafana.integreatly.org/v1beta1",
    "opentelemetrycollectors": "/apis/opentelemetry.io/v1beta1",
    "servicemonitors": "/apis/monitoring.coreos.com/v1",
    "prometheusrules": "/apis/monitoring.coreos.com/v1",
    "prometheuses": "/apis/monitoring.coreos.com/v1",
    "thanosrulers": "/apis/monitoring.coreos.com/v1",
    "alertmanagers": "/apis/monitoring.coreos.com/v1",
    "prometheusagents": "/apis/monitoring.coreos.com/v1alpha1",
    "alertmanagerconfigs": "/apis/monitoring.coreos.com/v1alpha1",
}


class Refused(AssertionError):  # noqa: N818 - what the API server did
    """What the API server did not want to do."""

    def __init__(self, response: httpx.Response) -> None:
        self.status, self._text = response.status_code, response.text
        super().__init__(f"{self.status}: {self._text[:2000]}")

    @property
    def message(self) -> str:
        """All that it says in its Status, however long."""
        message: str = json.loads(self._text)["message"]
        return message


class Unanswered(AssertionError):  # noqa: N818 - what the request was
    """What the API server did not answer in time."""


class Api:
    """A client with the rights of a kubeconfig, which waits for no answer longer than a limit."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        server, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=base64.b64decode(server["certificate-authority-data"]).decode())
        files = [kubeconfig.with_name(f".{kubeconfig.name}.{part}") for part in ("crt", "key")]
        for file, part in zip(files, ("client-certificate-data", "client-key-data"), strict=True):
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode(user[part]))
        context.load_cert_chain(*map(str, files))
        self._client = httpx.Client(base_url=server["server"], verify=context, timeout=_LIMIT)
        for file in files:
            file.unlink()

    def close(self) -> None:
        self._client.close()

    def request(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **params: str
    ) -> Object:
        content = None if body is None else json.dumps(body)
        response = self._answer(method, path, params, content=content, headers={"Content-Type": kind})
        found: Object = response.json()
        return found

    def apply(self, path: str, body: Object, *, manager: str = "test", **params: str) -> Object:
        """Apply it on the server's side, as kubectl does."""
        return self.request("PATCH", path, body, "application/apply-patch+yaml", fieldManager=manager, **params)

    def path(self, plural: str, namespace: str, name: str = "") -> str:
        return f"{_ROOTS.get(plural, '/api/v1')}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")

    def find(self, plural: str, namespace: str, name: str) -> Object | None:
        return self.look(self.path(plural, namespace, name))

    def look(self, path: str, **params: str) -> Object | None:
        """Return what is at a path; None where nothing is."""
        try:
            return self.request("GET", path, **params)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def get(self, plural: str, namespace: str, name: str) -> Object:
        return self.request("GET", self.path(plural, namespace, name))

    def list(self, plural: str, namespace: str) -> list[Object]:
        found: list[Object] = self.request("GET", self.path(plural, namespace))["items"]
        return found

    def now(self, plural: str, namespace: str) -> str:
        """Return the resourceVersion that a collection has; those of all kinds are of one count."""
        version: str = self.request("GET", self.path(plural, namespace))["metadata"]["resourceVersion"]
        return version

    def events_since(self, version: str, plural: str, namespace: str) -> Sequence[Object]:
        """Return what a watch tells of a collection since then, in its order."""
        params = {"watch": "true", "resourceVersion": version, "timeoutSeconds": "3"}
        response = self._answer("GET", self.path(plural, namespace), params)
        events = [json.loads(line) for line in response.text.splitlines()]
        assert all(event["type"] != "ERROR" for event in events), events
        return events

    def create(self, plural: str, namespace: str, body: Object) -> Object:
        return self.request("POST", self.path(plural, namespace), body, fieldManager="test")

    def patch(self, plural: str, namespace: str, name: str, body: Any, *, manager: str = "test") -> Object:
        """Merge patch, as `kubectl patch --type=merge`; a list is a JSON patch."""
        kind = "application/json-patch+json" if isinstance(body, list) else "application/merge-patch+json"
        return self.request("PATCH", self.path(plural, namespace, name), body, kind, fieldManager=manager)

    def delete(self, plural: str, namespace: str, name: str, **params: str) -> None:
        self.request("DELETE", self.path(plural, namespace, name), **params)

    def _answer(self, method: str, path: str, params: dict[str, str], **options: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, params=params, **options)
        except httpx.TimeoutException as error:
            asked = f"{method} {httpx.URL(path, params=params)}"
            raise Unanswered(f"{asked}: no answer within {_LIMIT} s ({type(error).__name__})") from error
        if response.status_code >= 400:
            raise Refused(response)
        return response
