"""Load on a service: wrk for what saturates it, a client that reads every answer for what each request took."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dev.bench.programs import http
from tests.programs import installed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SCRIPT = Path(__file__).with_name("generate.lua")
PROBE_SECONDS = 0.05
BODY = json.dumps({"prompt": "a lighthouse at dusk", "width": 64, "height": 64}).encode()
HEAD = (
    f"POST /generate HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode()


@dataclass(frozen=True)
class Load:
    """What wrk saw; `broken` connections and time-outs, `refused` answers that were not 2xx."""

    requests: int
    seconds: float
    broken: int
    refused: int
    p99_ms: float


def wrk(url: str, connections: int, seconds: float) -> Load:
    """Send generations over so many connections, each sending its next as soon as it has an answer."""
    options = ["--threads=1", f"--connections={connections}", f"--duration={seconds:g}s", "--timeout=60s"]
    command = [installed("wrk"), *options, f"--script={SCRIPT}", f"{url}/generate"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return Load(**json.loads(output.splitlines()[-1]))


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile."""
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def added_ms(url: str, clients: int, upstream_seconds: float, rounds: int) -> list[tuple[float, float]]:
    """Return, a request, what it took beyond the provider's own seconds and the polling gap, and that gap.

    All is in milliseconds, as the client sees it.

    The clients start one after another over one upstream time, so that requests come evenly; the first
    round, when connections are made and the service learns the model's pace, is left out.
    """

    async def client(number: int) -> list[tuple[float, float]]:
        await asyncio.sleep(number * upstream_seconds / clients)
        address = urlsplit(url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        added = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            writer.write(HEAD + BODY)
            status, body = await answer(reader)
            if status != "200":
                raise RuntimeError(f"the service answered {status}: {body.decode()[:500]}")
            took, timings = time.perf_counter() - begun, json.loads(body)["timings"]
            gap = timings["poll_gap"]
            added.append(((took - timings["predict"] - gap) * 1000, gap * 1000))
        writer.close()
        return added[1:]

    async def together() -> list[tuple[float, float]]:
        return [value for values in await asyncio.gather(*map(client, range(clients))) for value in values]

    return asyncio.run(together())


async def answer(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """Read one answer; its status and its body."""
    status, *headers = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in headers if line.startswith(b"content-length:"))
    return status.split()[1].decode(), await reader.readexactly(length)


@contextmanager
def probing(url: str) -> Iterator[list[float]]:
    """Ask `/health` again and again while the block runs, as a kubelet does; the list fills with milliseconds.

    One that gets no answer counts with the time it waited for it.
    """
    took: list[float] = []
    over = threading.Event()

    def ask() -> None:
        while not over.wait(PROBE_SECONDS):
            begun = time.perf_counter()
            with suppress(OSError):
                http(f"{url}/health")
            took.append((time.perf_counter() - begun) * 1000)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()
