"""The programs of a benchmark, each a process on a port of its own, ended with the block that asked for it."""

from __future__ import annotations

import json
import os
import resource
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

from dev.cluster.waiting import until
from tests.fakes.replicate import TOKEN, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICE = (sys.executable, "-c", "from t2i_service.main import main; main()")
SANDBOX = {"name": "sdxl", "provider": "Sandbox"}
SDXL = {"name": "sdxl", "provider": "Replicate", "version": f"stability-ai/sdxl:{VERSION}", "timeoutSeconds": 120}
LANGTRACE_KEY = "key-of-the-benchmark"
DESCRIPTORS = 16_384
# Below those that Linux gives to who asks for any, and those that Kubernetes gives to Services.
PORTS = range(20_000, 30_000)
_given: set[int] = set()
_opener = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Program:
    """A running program."""

    pid: int
    url: str
    seconds_to_ready: float = 0.0


def http(url: str, body: object = None, method: str | None = None) -> bytes:
    """Return what the address answers; `body` goes there as JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310 - loopback
    with _opener.open(request, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def metric(service: Program, name: str) -> float:
    """Return the sum of a metric's samples."""
    lines = http(f"{service.url}/metrics").decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))


def called(fake: Program) -> Counter[str]:
    """Return how many calls of each kind the fake of Replicate has had."""
    return Counter(json.loads(http(f"{fake.url}/_calls")))


def awaken(service: Program, exporters: int) -> None:
    """Send generations until each exporter has delivered: what they import is start-up, not load."""

    def delivered() -> bool:
        http(f"{service.url}/generate", {"prompt": "a lighthouse", "width": 64, "height": 64})
        lines = http(f"{service.url}/metrics").decode().splitlines()
        return (
            sum(line.startswith("t2i_spans_exported_total{") and not line.endswith(" 0.0") for line in lines)
            >= exporters
        )

    if not until(delivered, seconds=60, every=0.3):
        raise TimeoutError("not every exporter has delivered")


def free_port() -> int:
    """Return a port that nobody listens on, another one each time.

    The system's own choice may come twice, or go to somebody else before it is listened on: it is none of these.
    """
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


@contextmanager
def running(argv: Sequence[str | Path], port: int, path: str, environment: Mapping[str, str]) -> Iterator[Program]:
    """Run a program until the block ends; its address answers `path` before the block begins."""
    url = f"http://127.0.0.1:{port}"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.TemporaryFile() as output:
        begun = time.monotonic()
        process = subprocess.Popen(argv, env=kept | dict(environment), stdout=output, stderr=output, cwd=CHECKOUT)
        try:
            if not until(lambda: process.poll() is not None or _answers(url + path), seconds=30, every=0.005):
                raise TimeoutError(f"{argv} does not answer {path}")
            if process.poll() is not None:
                output.seek(0)
                raise RuntimeError(f"{argv} ended:\n{output.read().decode()[-2000:]}")
            yield Program(process.pid, url, time.monotonic() - begun)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def serving(
    program: Sequence[str | Path], environment: Mapping[str, str], model: Mapping[str, Any] = SANDBOX
) -> Iterator[Program]:
    """Run the service, be it from this environment or in its image, ready when the block begins."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder, "models.json")
        models.write_text(json.dumps({"models": [model]}))
        settings = {"T2I_HOST": "127.0.0.1", "T2I_PORT": str(port), "T2I_MODELS_FILE": str(models)}
        settings |= {"T2I_DRAIN_SECONDS": "0", "T2I_GRACE_SECONDS": "5", "REPLICATE_API_TOKEN": TOKEN}
        with running(program, port, "/ready", settings | dict(environment)) as service:
            yield service


@contextmanager
def recording() -> Iterator[Recording]:
    """Run the endpoints that spans go to."""
    counts, collector = free_port(), free_port()
    argv = [sys.executable, "-m", "dev.bench.sinks", "--http", str(counts), "--grpc", str(collector)]
    with running(argv, counts, "/counts", {}) as sinks:
        yield Recording(sinks.url, f"http://127.0.0.1:{collector}")


@contextmanager
def replicate(predict_seconds: float, image_bytes: int = 1024) -> Iterator[Program]:
    """Run the fake of Replicate."""
    port = free_port()
    argv = [sys.executable, "-m", "tests.fakes.replicate", "--port", str(port)]
    with running(argv, port, "/_predictions", {}) as fake:
        http(f"{fake.url}/_knobs", {"predict_seconds": predict_seconds, "image_bytes": image_bytes}, "PUT")
        yield fake


@dataclass(frozen=True)
class Recording:
    """Endpoints that count."""

    url: str
    collector: str

    @property
    def otlp(self) -> dict[str, str]:
        """The environment that sends spans here."""
        return {"OTLP_ENDPOINT": self.collector}

    @property
    def langtrace(self) -> dict[str, str]:
        """The environment that sends model spans here as to LangTrace."""
        return {"LANGTRACE_API_KEY": LANGTRACE_KEY, "LANGTRACE_API_HOST": self.url}

    def counts(self) -> dict[str, int]:
        """Return how many spans have come so far."""
        counts: dict[str, int] = json.loads(http(f"{self.url}/counts"))
        return counts


def _answers(url: str) -> bool:
    try:
        http(url)
    except (URLError, OSError):
        return False
    return True
