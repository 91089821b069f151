"""What each instrument costs a request, in the CPU time of the worker: all variants in turn, round by round."""

from __future__ import annotations

import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from dev.bench.load import wrk
from dev.bench.measure import cpu_seconds
from dev.bench.programs import SUBJECT, Program, Recording, awaken, metric, recording, serving
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTIONS = 16
LARGE = ("--image-bytes", "1500000")


class Variant(NamedTuple):
    """One way to run the service: the subject's options, where spans go, which share of them."""

    options: tuple[str, ...] = ()
    otlp: bool = True
    langtrace: bool = False
    ratio: float = 1.0


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
    """One variant under load once."""

    microseconds: float
    requests_a_second: float
    busy: float
    spans: dict[str, int]
    requests: int


def loaded(service: Program, sinks: Recording, seconds: float) -> Run:
    """Saturate one service; the time its spans take to leave counts as its own."""
    before, cpu = sinks.counts(), cpu_seconds(service.pid)
    load = wrk(service.url, CONNECTIONS, seconds)
    busy = (cpu_seconds(service.pid) - cpu) / load.seconds
    if load.broken or load.refused:
        raise RuntimeError(f"{load.broken} connections broke and {load.refused} answers were no images")
    last: list[dict[str, int]] = []

    def quiet() -> bool:
        last.append(sinks.counts())
        return len(last) > 1 and last[-1] == last[-2]

    until(quiet, seconds=30, every=1.5)
    spent = cpu_seconds(service.pid) - cpu
    arrived = {name: count - before[name] for name, count in last[-1].items()}
    return Run(spent / load.requests * 1e6, load.requests / load.seconds, busy, arrived, load.requests)


def instruments(seconds: float, rounds: int) -> dict[str, Any]:
    """Measure every variant in turn, round by round, so that what else the machine does falls on all of them."""
    runs: dict[str, list[Run]] = {name: [] for name in VARIANTS}
    with ExitStack() as stack:
        sinks = stack.enter_context(recording())
        services = {}
        for name, variant in VARIANTS.items():
            environment = {"T2I_SAMPLING_RATIO": str(variant.ratio)}
            environment |= sinks.otlp if variant.otlp else {}
            environment |= sinks.langtrace if variant.langtrace else {}
            services[name] = stack.enter_context(serving([*SUBJECT, *variant.options], environment))
            awaken(services[name], variant.otlp + variant.langtrace)
            loaded(services[name], sinks, 1)
        for _ in range(rounds):
            for name, service in services.items():
                runs[name].append(loaded(service, sinks, seconds))
        dropped = {name: metric(service, "t2i_spans_dropped_total") for name, service in services.items()}
    figures = {name: _figures(runs, name) | {"spans_dropped": dropped[name]} for name in runs}
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
    }
