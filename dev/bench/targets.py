"""Many pods in one server: each of its paths answers with what a real service exposes, grown as time goes on."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from dev.bench.exposition import minutes_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from t2i_operator import spec

    from dev.bench.exposition import Sample


def labels(resource: spec.TextToImageService, service: str, pod: int = 0) -> dict[str, str]:
    """Return the labels that the Prometheus Operator gives a pod by the ServiceMonitor, `endpoint` dropped by that."""
    owner = resource.metadata
    return {
        "namespace": owner.namespace,
        "service": service,
        "job": service,
        "pod": f"{owner.name}-7c9d8b5f4-{pod:05}",
        "container": "service",
        "instance": f"10.244.{pod // 250}.{pod % 250 + 1}:8000",
    }


def spelled(given: dict[str, str]) -> str:
    """Spell labels as an exposition does."""
    return ",".join(f'{name}="{value}"' for name, value in given.items())


@contextmanager
def exposing(samples: Sequence[Sample], pods: Iterable[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Serve the pods until the block ends; yields the scrape configuration that finds them."""
    lines = [(f"{sample.name}{{{sample.labels}}}" if sample.labels else sample.name, sample) for sample in samples]

    class Pod(BaseHTTPRequestHandler):
        """Answers every path with the metrics of now; Prometheus tells the pods apart by the labels it gives them."""

        def do_GET(self) -> None:
            minutes = minutes_at(time.time())
            body = "".join(f"{series} {sample.at(minutes):.12g}\n" for series, sample in lines).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Pod)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"
    try:
        groups = [
            {"targets": [address], "labels": {**given, "__metrics_path__": f"/{number}"}}
            for number, given in enumerate(pods)
        ]
        yield {"job_name": "pods", "static_configs": groups}
    finally:
        server.shutdown()
        server.server_close()
