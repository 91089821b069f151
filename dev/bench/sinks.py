"""Where spans arrive: an OTLP/gRPC collector and LangTrace's endpoint that only count, in a process of their own.

`python -m dev.bench.sinks --http 9001 --grpc 9002`; `GET /counts` says how many have come.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

COUNTS = {"otlp": 0, "langtrace": 0}


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Reads what comes as any collector does, and counts it."""

    def Export(  # noqa: N802 - gRPC's own spelling
        self, request: trace_service_pb2.ExportTraceServiceRequest, _context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        """Count a batch."""
        COUNTS["otlp"] += sum(len(scope.spans) for item in request.resource_spans for scope in item.scope_spans)
        return trace_service_pb2.ExportTraceServiceResponse()


class LangTrace(BaseHTTPRequestHandler):
    """LangTrace's `/api/trace`, and the counts."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Count a batch."""
        COUNTS["langtrace"] += len(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer({"message": "ok"})

    def do_GET(self) -> None:
        """Say how many have come."""
        self._answer(COUNTS)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def main() -> None:
    """Count until told to stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--http", type=int, required=True)
    parser.add_argument("--grpc", type=int, required=True)
    options = parser.parse_args()
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Collector(), server)  # type: ignore[no-untyped-call]
    server.add_insecure_port(f"127.0.0.1:{options.grpc}")
    server.start()
    ThreadingHTTPServer(("127.0.0.1", options.http), LangTrace).serve_forever()


if __name__ == "__main__":
    main()
