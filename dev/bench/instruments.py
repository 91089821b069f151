"""What each instrument costs a request, in the CPU time of the worker: all variants in turn, round by round.

Each round starts each variant anew: one start of the same program may take a third more a request than another.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from dev.bench import image
from dev.bench.load import wrk
from dev.bench.measure import cpu_seconds
from dev.bench.programs import Recording, awaken, metric, recording, serving
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 16
WARM_UP_SECONDS = 1
# Longer than an exporter waits for more spans.
QUIET_SECONDS = 1.2
LARGE = ("--image-bytes", "1500000")


class Variant(NamedTuple):
    """One way to run the service: the subject's options, where spans go, which share of them."""

    options: tuple[str, ...] = ()
    otlp: bool = True
    langtrace: bool = False
    ratio: float = 1.0

    @property
    def exporters(self) -> int:
        """How many send spans."""
        return self.otlp + self.langtrace

    def environment(self, sinks: Recording) -> dict[str, str]:
        """Return what the service is told of it."""
        chosen = {"T2I_SAMPLING_RATIO": str(self.ratio)}
        return chosen | (sinks.otlp if self.otlp else {}) | (sinks.langtrace if self.langtrace else {})


BARE = Variant(("--without", "all"), otlp=False)
VARIANTS = {
    "bare": BARE,
    "all": Variant(),
    "all, sampling 0.1": Variant(ratio=0.1),
    "all and LangTrace": Variant(langtrace=True),
    "all and LangTrace, sampling 0.1": Variant(langtrace=True, ratio=0.1),
    "all but tracing": Variant(("--without", "tracing"), otlp=False),
    "all but metrics": Variant(("--without", "metrics")),
    "all but logs": Variant(("--without", "logs")),
    "bare, 1.5 MB": Variant((*BARE.options, *LARGE), otlp=False),
    "all, 1.5 MB": Variant(LARGE),
}


class Run(NamedTuple):
    """One variant under load once, in a process of its own."""

    microseconds: float
    requests_a_second: float
    busy: float
    spans: dict[str, int]
    requests: int
    dropped: float


def run(variant: Variant, sinks: Recording, seconds: float) -> Run:
    """Start the service, let it warm up, saturate it; the time its spans take to leave counts as its own."""
    with serving(image.subject(*variant.options), variant.environment(sinks)) as service:
        awaken(service, variant.exporters)
        wrk(service.url, CONNECTIONS, WARM_UP_SECONDS)
        before, cpu = arrived(variant, sinks), cpu_seconds(service.pid)
        load = wrk(service.url, CONNECTIONS, seconds)
        busy = (cpu_seconds(service.pid) - cpu) / load.seconds
        if load.broken or load.refused:
            raise RuntimeError(f"{load.broken} connections broke and {load.refused} answers were no images")
        after, spent = arrived(variant, sinks), cpu_seconds(service.pid) - cpu
        dropped = metric(service, "t2i_spans_dropped_total")
    spans = {name: count - before[name] for name, count in after.items()}
    return Run(spent / load.requests * 1e6, load.requests / load.seconds, busy, spans, load.requests, dropped)


def arrived(variant: Variant, sinks: Recording) -> dict[str, int]:
    """Return how many spans have come, once the last of them has."""
    counts = [sinks.counts()]

    def quiet() -> bool:
        counts.append(sinks.counts())
        return counts[-1] == counts[-2]

    if variant.exporters:
        time.sleep(QUIET_SECONDS)
        until(quiet, seconds=30, every=QUIET_SECONDS)
    return counts[-1]


def instruments(seconds: float, rounds: int) -> dict[str, Any]:
    """Measure every variant in turn, round by round, so that what else the machine does falls on all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in VARIANTS}
    with recording() as sinks:
        for _ in range(rounds):
            for name, variant in VARIANTS.items():
                runs[name].append(run(variant, sinks, seconds))
    figures = {name: _figures(runs, name) for name in runs}
    whole = figures["all"]["microseconds"]
    each = {what: whole - figures[f"all but {what}"]["microseconds"] for what in ("tracing", "metrics", "logs")}
    each["langtrace"] = figures["all and LangTrace"]["microseconds"] - whole
    return {"variants": figures, "microseconds_of_each": {name: round(value, 1) for name, value in each.items()}}


def _figures(runs: Mapping[str, list[Run]], name: str) -> dict[str, Any]:
    """Return the medians over the rounds; the ratio is taken within each round."""
    bare = runs["bare, 1.5 MB" if "MB" in name else "bare"]
    ratios = [one.microseconds / other.microseconds for one, other in zip(bare, runs[name], strict=True)]
    mine = runs[name]
    return {
        "microseconds": round(statistics.median(run.microseconds for run in mine), 1),
        "bare_by_this": round(statistics.median(ratios), 3),
        "bare_by_this_range": [round(min(ratios), 3), round(max(ratios), 3)],
        "requests_a_second": round(statistics.median(run.requests_a_second for run in mine)),
        "worker_busy": round(statistics.median(run.busy for run in mine), 2),
        "requests": sum(run.requests for run in mine),
        "spans_arrived": {sink: sum(run.spans[sink] for run in mine) for sink in mine[0].spans},
        "spans_dropped": sum(run.dropped for run in mine),
    }
