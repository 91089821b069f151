"""The real service in its own process, and ASGI applications on real sockets, for as long as a test needs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn

from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from socket import socket

    from starlette.types import ASGIApp

PROGRAM = Path(sys.executable).with_name("t2i-service")
_PORT = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


class RunningService:
    """`t2i-service` as a container would start it; what it prints is kept."""

    def __init__(self, environment: Mapping[str, str], under: Sequence[str] = ()) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        defaults = {"T2I_HOST": "127.0.0.1", "T2I_PORT": "0", "T2I_DRAIN_SECONDS": "0", "T2I_GRACE_SECONDS": "10"}
        self.lines: list[str] = []
        self.process = subprocess.Popen(  # noqa: S603 - the program of this checkout
            [*under, PROGRAM],
            env=kept | defaults | dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.url = ""

    def wait_until_up(self, seconds: float = 60) -> None:
        wait_for(lambda: self._port() or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, "\n".join(self.lines)
        self.url = f"http://127.0.0.1:{self._port()}"

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Everything printed so far; a line that is not JSON fails the test."""
        return [json.loads(line) for line in list(self.lines)]

    def logged(self, event: str, **members: Any) -> list[dict[str, Any]]:
        return [
            line
            for line in self.logs
            if line["event"] == event and all(line.get(name) == value for name, value in members.items())
        ]

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30, trust_env=False, **options)

    def metric(self, name: str, **labels: str) -> float:
        """Return one sample's value, 0 when it does not exist yet."""
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        for line in self.metrics_text().splitlines():
            sample, _, value = line.rpartition(" ")
            family, _, rest = sample.partition("{")
            if family == name and wanted == set(rest.rstrip("}").split(",") if rest else []):
                return float(value)
        return 0.0

    def metrics_text(self) -> str:
        return httpx.get(f"{self.url}/metrics", trust_env=False, timeout=30).text

    def stop(self) -> int:
        """End it as Kubernetes would and return its exit status."""
        self.process.terminate()
        return self.wait()

    def wait(self) -> int:
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
            self._reader.join()
            if self.process.stdout:
                self.process.stdout.close()
        return status

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip("\n"))

    def _port(self) -> str:
        found = _PORT.search("\n".join(self.lines))
        return found[1] if found else ""


@contextmanager
def running_service(environment: Mapping[str, str]) -> Iterator[RunningService]:
    service = RunningService(environment)
    try:
        service.wait_until_up()
        yield service
    finally:
        service.stop()


@contextmanager
def serving(app: ASGIApp, host: str = "127.0.0.1", at: socket | None = None) -> Iterator[str]:
    """Serve an application from this process on a real socket, a new one or one that is bound; yield its URL."""
    server = uvicorn.Server(
        uvicorn.Config(app, host=host, port=0, lifespan="off", log_level="critical", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [at] if at else None})
    thread.start()
    try:
        wait_for(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        thread.join()
