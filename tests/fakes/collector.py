"""A collector on a real socket that keeps what it is sent: OTLP over gRPC or HTTP, over TLS or not."""

from __future__ import annotations

import gzip
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACES = "/v1/traces"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True)
class Received:
    """One span as it arrived."""

    span: Span
    resource: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.span.name)

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def trace_id(self) -> str:
        return self.span.trace_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        return values_of(self.span.attributes)


@dataclass(frozen=True)
class Certificates:
    """PEM files of a collector that speaks TLS and wants to see a certificate of `authority`'s."""

    authority: Path
    certificate: Path
    key: Path


@dataclass
class FakeCollector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps spans; `refuse` makes it answer as a broken one, `hold` as one that never answers."""

    url: str = ""
    spans: list[Received] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refuse: threading.Event = field(default_factory=threading.Event)
    hold: bool = False
    released: threading.Event = field(default_factory=threading.Event)

    def Export(  # noqa: N802 - gRPC's own spelling
        self, request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        if self.hold:
            self.released.wait(60)
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "held on purpose")
        if self.refuse.is_set():
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused on purpose")
        self.headers.append(dict(context.invocation_metadata()))
        return self.take(request)

    def post(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Do the same over HTTP, as the specification has it: return the status and the answer."""
        if self.hold:
            self.released.wait(60)
        if path != TRACES:
            return (301 if path == f"/moved{TRACES}" else 404), b""
        if self.refuse.is_set() or headers["content-type"] != PROTOBUF:
            return 400, b"refused on purpose, or no protobuf"
        self.headers.append(headers)
        return 200, self.take(trace_service_pb2.ExportTraceServiceRequest.FromString(body)).SerializeToString()

    def take(
        self, request: trace_service_pb2.ExportTraceServiceRequest
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        for resource_spans in request.resource_spans:
            resource = values_of(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans += [Received(span, resource) for span in scope_spans.spans]
        return trace_service_pb2.ExportTraceServiceResponse()

    def trace(self, trace_id: str) -> dict[str, Received]:
        """Return one trace's spans by name."""
        return {span.name: span for span in list(self.spans) if span.trace_id == trace_id}


def values_of(attributes: list[KeyValue]) -> dict[str, Any]:
    """Turn OTLP's attributes into a plain mapping."""
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in attributes}


@contextmanager
def collecting(protocol: str = "grpc", certificates: Certificates | None = None) -> Iterator[FakeCollector]:
    collector = FakeCollector()
    speak = _over_grpc if protocol == "grpc" else _over_http
    with speak(collector, certificates) as collector.url:
        yield collector


@contextmanager
def _over_grpc(collector: FakeCollector, certificates: Certificates | None) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    if certificates:
        pair = (certificates.key.read_bytes(), certificates.certificate.read_bytes())
        authority = certificates.authority.read_bytes()
        credentials = grpc.ssl_server_credentials([pair], authority, require_client_auth=True)
        url = f"https://127.0.0.1:{server.add_secure_port('127.0.0.1:0', credentials)}"
    else:
        url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield url
    finally:
        server.stop(0).wait()


@contextmanager
def _over_http(collector: FakeCollector, certificates: Certificates | None) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), collector, certificates)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'https' if certificates else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """One thread and one request a connection, so that nothing is open when it closes."""

    daemon_threads = False

    def __init__(self, address: tuple[str, int], collector: FakeCollector, certificates: Certificates | None) -> None:
        super().__init__(address, _Handler)
        self.collector = collector
        if certificates:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificates.certificate, certificates.key)
            context.load_verify_locations(certificates.authority)
            context.verify_mode = ssl.CERT_REQUIRED
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that are not trusted, or do not trust."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers["content-length"]))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        status, answer = self.server.collector.post(self.path, headers, body)
        self.send_response(status)
        self.send_header("Content-Type", PROTOBUF)
        self.send_header("Content-Length", str(len(answer)))
        if status == 301:
            self.send_header("Location", TRACES)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the server's own spelling
        """Say nothing."""
