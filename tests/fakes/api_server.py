"""As much of an API server as the operator's process needs to begin, with some namespaces that it may not look into.

Kinds whose conversion webhook is `broken` cannot be listed.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from t2i_operator import naming
from t2i_operator.kube import kinds

from tests.unit.operator.resources import UNOBSERVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SERVED = (
    (kinds.RESOURCE, True),
    (kinds.NAMESPACE, False),
    (kinds.Kind("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition"), False),
)
_OPTIONAL = {kind.plural for kind in kinds.OPTIONAL}


class ApiServer(ThreadingHTTPServer):
    """Serves one resource in each namespace that may be seen, no other object, and refuses every write with 503."""

    daemon_threads = True
    request_queue_size = 100  # who is turned away comes again after a second only

    def __init__(self, *visible: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.visible, self.ended = set(visible), threading.Event()
        self.broken: set[str] = set()
        self.written: list[str] = []
        self.watched: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, path: str) -> tuple[int, Any]:
        """Return the status and the body of the answer to a GET."""
        root, *parts = path.strip("/").split("/")
        if "namespaces" not in parts:
            return 200, _discovery("/".join([root, *parts]))
        namespace, plural, *name = parts[parts.index("namespaces") + 1 :]
        if namespace not in self.visible:
            return _refusal(403, f'{plural} is forbidden in the namespace "{namespace}"')
        if plural in self.broken:
            return _refusal(500, "conversion webhook failed: connection refused")
        if plural in _OPTIONAL or (name and plural != naming.PLURAL):
            return _refusal(404, "there is none")
        items = [_resource(namespace)] if plural == naming.PLURAL else []
        listed = {"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items}
        return 200, items[0] if name else listed


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        status, body = self.server.answer(asked.path)
        if status == 200 and "watch=" in asked.query:
            self.server.watched.append(asked.path)
            self._begin(200)
            self.server.ended.wait()
        else:
            self._begin(status)
            self.wfile.write(json.dumps(body).encode())

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.written.append(urlsplit(self.path).path)
        self._begin(503)

    def do_POST(self) -> None:
        self.do_PATCH()

    def log_message(self, *_: object) -> None:
        pass

    def _begin(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()


@contextmanager
def api_server(*visible: str) -> Iterator[ApiServer]:
    """Serve for as long as a test needs it."""
    with ApiServer(*visible) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.ended.set()
            server.shutdown()
            thread.join()


def _refusal(status: int, message: str) -> tuple[int, Mapping[str, Any]]:
    reason = {403: "Forbidden", 404: "NotFound"}.get(status, "InternalError")
    told = {"status": "Failure", "reason": reason, "message": message, "code": status}
    return status, {"kind": "Status", "apiVersion": "v1", **told}


def _discovery(path: str) -> Mapping[str, Any]:
    if path == "api":
        return {"versions": ["v1"]}
    if path == "apis":
        served = [kind.api_version.split("/") for kind, _ in _SERVED if "/" in kind.api_version]
        return {
            "groups": [
                {"name": group, "versions": [{"version": version}], "preferredVersion": {"version": version}}
                for group, version in served
            ]
        }
    return {
        "resources": [
            {
                "name": kind.plural,
                "singularName": kind.name.lower(),
                "kind": kind.name,
                "namespaced": namespaced,
                "verbs": ["get", "list", "watch", "patch"],
            }
            for kind, namespaced in _SERVED
            if path.endswith(kind.api_version)
        ]
    }


def _resource(namespace: str) -> Mapping[str, Any]:
    metadata = {"name": "pictures", "namespace": namespace, "uid": "u", "generation": 1, "resourceVersion": "1"}
    spec = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "monitoring": UNOBSERVED}
    return {"apiVersion": kinds.RESOURCE.api_version, "kind": naming.RESOURCE_KIND, "metadata": metadata, "spec": spec}
