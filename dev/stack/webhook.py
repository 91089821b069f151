"""A webhook on this machine that Alertmanager's pod reaches, as a team's own would be: it keeps what it is told."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from dev.cluster.network import NODE_IP

if TYPE_CHECKING:
    from collections.abc import Iterator

Notice = dict[str, Any]


class Webhook(ThreadingHTTPServer):
    """`notices` are the alerts of all notifications, in their order; each says whether it is `firing` or `resolved`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((NODE_IP, 0), _Handler)
        self.notices: list[Notice] = []

    @property
    def url(self) -> str:
        """Return where it listens: on the cluster's bridge, so that nothing else hears of it."""
        return f"http://{NODE_IP}:{self.server_port}/"

    def heard(self, name: str, status: str, namespace: str) -> list[Notice]:
        """Return what was said of an alert of that name."""
        wanted = {"alertname": name, "namespace": namespace}
        return [
            notice
            for notice in list(self.notices)
            if notice["status"] == status and wanted.items() <= notice["labels"].items()
        ]


@contextmanager
def listening() -> Iterator[Webhook]:
    """Listen for as long as the context lasts."""
    with Webhook() as webhook:
        thread = threading.Thread(target=webhook.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield webhook
        finally:
            webhook.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        self.server.notices += json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's own spelling
        """Say nothing."""
