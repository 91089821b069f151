"""A real Prometheus on loopback, over blocks that promtool has written."""

from __future__ import annotations

import json
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import yaml

from dev.bench.programs import Program, free_port, http, running
from dev.stack.debian import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

# How Prometheus itself compacts: 54 hours is the largest of its block sizes (2 h, threes of it) within 40 days / 10.
BLOCK_SECONDS = 54 * 3600
RETENTION = "40d"


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    program: Program

    def get(self, path: str, **parameters: object) -> Any:
        """Return the data of a page of its API."""
        return json.loads(http(f"{self.program.url}/api/v1/{path}?{urlencode(parameters)}"))["data"]

    def value(self, expr: str) -> float:
        """Return the one value of an expression, 0 where there is none."""
        found = self.get("query", query=expr)["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def own(self, metric: str, label: str) -> dict[str, float]:
        """Return a metric of its own by the value of a label."""
        lines = http(f"{self.program.url}/metrics").decode().splitlines()
        found = (line for line in lines if line.startswith(f"{metric}{{"))
        return {line.partition(f'{label}="')[2].partition('"')[0]: float(line.rpartition(" ")[2]) for line in found}


@contextmanager
def observing(
    database: Path, scrapes: Iterable[Mapping[str, Any]] = (), rules: Mapping[str, Any] | None = None
) -> Iterator[Prometheus]:
    """Run one at the pace that the Prometheus Operator gives it by default, 30 s."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        for name, groups in (rules or {}).items():
            Path(folder, f"{name}.yaml").write_text(json.dumps(groups))
        settings = {
            "global": {"scrape_interval": "30s", "evaluation_interval": "30s"},
            "scrape_configs": list(scrapes),
            "rule_files": [f"{folder}/*.yaml"],
        }
        config = Path(folder, "prometheus.yml")
        config.write_text(yaml.safe_dump(settings))
        argv: list[str | Path] = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={database}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        with running(argv, port, "/-/ready", {}) as process:
            yield Prometheus(process)


def write_blocks(database: Path, begin: int, end: int, exposition: Callable[[int, int], Iterable[str]]) -> None:
    """Write what `exposition(first, end)` yields for each stretch of time, in OpenMetrics with seconds, as blocks.

    promtool reads all its input once for each block, so it gets the input of one block at a time.
    """
    duration = f"--max-block-duration={BLOCK_SECONDS}s"
    command = [str(program("promtool")), "tsdb", "create-blocks-from", "--quiet", duration]
    for window in range(begin // BLOCK_SECONDS, (end - 1) // BLOCK_SECONDS + 1):
        first, last = max(begin, window * BLOCK_SECONDS), min(end, (window + 1) * BLOCK_SECONDS)
        with tempfile.NamedTemporaryFile("w", suffix=".om") as text:
            text.writelines(exposition(first, last))
            text.write("# EOF\n")
            text.flush()
            written = [*command, "openmetrics", text.name, str(database)]
            done = subprocess.run(written, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise RuntimeError(f"promtool makes no blocks: {done.stdout}{done.stderr}")


def version() -> str:
    """Return which one it is."""
    said = subprocess.run([program("prometheus"), "--version"], check=True, capture_output=True, text=True)
    return (said.stdout or said.stderr).split()[2]
