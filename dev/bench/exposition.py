"""What a real service exposes after some traffic, taken once and continued for many pods and days."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from dev.bench.programs import SERVICE, Program, http, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODEL = {
    "name": "sdxl",
    "provider": "Sandbox",
    "price": {"perImage": "0.01"},
    "sandbox": {"latency": "50ms"},
}
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
# The sample is taken as the growth of so many seconds: 120 requests a minute.
SAMPLE_SECONDS = 60
_EPOCH = 1_700_000_000
REQUESTS = 120
_SAMPLE = re.compile(r"([\w:]+)(?:\{(.*?)\})? (\S+)(?: # .*)?$")
_PICTURE = {"prompt": "a lighthouse at dusk", "width": 64, "height": 64}


class Sample(NamedTuple):
    """One series of a pod: what it exposes without the labels of its target."""

    name: str
    labels: str
    value: float
    counts: bool

    def series(self, target: str) -> str:
        """Name the series as Prometheus stores it."""
        return f"{self.name}{{{self.labels}{',' if self.labels else ''}{target}}}"

    def at(self, minutes: float) -> float:
        """Continue a counter as it went; a gauge goes up and down by a fifth."""
        if self.counts:
            return math.floor(self.value * minutes) if self.value == int(self.value) else self.value * minutes
        return self.value * (1 + 0.2 * math.sin(minutes))


def read(text: str) -> list[Sample]:
    """Read OpenMetrics; exemplars are left out."""
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE "))
    found = (_SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
    return [
        Sample(name, labels or "", float(value), counts=_counts(name, kinds))
        for name, labels, value in (match.groups() for match in found if match)
    ]


def of_service() -> list[Sample]:
    """Run the service, send it what people send, good and bad, and scrape it as Prometheus does."""
    with serving(SERVICE, {}, MODEL) as service:
        for _ in range(REQUESTS):
            _ask(service, "/generate", _PICTURE)
        for path, body in (
            ("/generate", {}),
            ("/generate", {**_PICTURE, "model": "unknown"}),
            ("/v1/images/generations", {"prompt": "a lighthouse at dusk", "size": "512x512"}),
            ("/feedback", {"generation_id": "unknown", "rating": "up"}),
            ("/nowhere", {}),
        ):
            _ask(service, path, body)
        for path in ("/", "/info", "/health", "/metrics"):
            http(service.url + path)
        return read(scrape(f"{service.url}/metrics"))


def scrape(url: str) -> str:
    """Return the page as Prometheus gets it."""
    with build_opener(ProxyHandler({})).open(Request(url, headers=OPENMETRICS), timeout=30) as answer:  # noqa: S310
        text: bytes = answer.read()
        return text.decode()


def continued(samples: Sequence[Sample], target: str, begin: int, end: int, step: int) -> Iterator[str]:
    """Yield a target's series from `begin` to before `end` as OpenMetrics with times; the day has its busy hours."""
    times = range(begin, end, step)
    grown = [minutes_at(time) for time in times]
    for sample in samples:
        series = sample.series(target)
        yield "".join(
            f"{series} {sample.at(minutes):.12g} {time}\n" for time, minutes in zip(times, grown, strict=True)
        )


def minutes_at(time: float) -> float:
    """Let traffic swing by the day, and a little from minute to minute, without ever going back."""
    day = 24 * 60 * 0.8 / (2 * math.pi)
    minutes = (time - _EPOCH) / SAMPLE_SECONDS
    return minutes - day * math.cos(2 * math.pi * minutes / 1440) + 0.15 * math.sin(minutes)


def _ask(service: Program, path: str, body: object) -> None:
    try:
        http(service.url + path, body)
    except HTTPError as error:
        error.close()


def _counts(name: str, kinds: dict[str, str]) -> bool:
    family = re.sub(r"_(total|bucket|sum|count)$", "", name)
    return kinds.get(family) in ("counter", "histogram", "summary") and family != name
