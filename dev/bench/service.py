"""What the service costs: its instruments a request, the time it adds to a call, a crowd of calls, and idleness.

`make bench-service`; the bars are the design's, docs/performance.md has the figures. Parts may be named:
`python -m dev.bench.service instruments idle`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import asdict
from typing import Any

from dev.bench import image
from dev.bench.instruments import instruments
from dev.bench.load import added_ms, p99, probing, wrk
from dev.bench.measure import cpu_seconds, memory, save
from dev.bench.programs import SDXL, Program, awaken, called, metric, recording, replicate, serving
from dev.cluster.waiting import until


def added() -> dict[str, Any]:
    """Measure what the service adds to a call at 200 in flight."""
    with recording() as sinks, replicate(predict_seconds=2) as fake:
        environment = {"T2I_REPLICATE_API_URL": fake.url, "T2I_MAX_IN_FLIGHT": "256", **sinks.otlp}
        with serving(image.service(), environment, SDXL) as service:
            awaken(service, exporters=1)
            cpu, calls = (cpu_seconds(service.pid), cpu_seconds(fake.pid)), called(fake)
            measured = added_ms(service.url, clients=200, upstream_seconds=2, rounds=10)
            spent = cpu_seconds(service.pid) - cpu[0], cpu_seconds(fake.pid) - cpu[1]
            asked = called(fake) - calls
            dropped = metric(service, "t2i_spans_dropped_total")
    took, gaps = zip(*measured, strict=True)
    return {
        "requests": len(took),
        "upstream_calls_a_generation": round(asked.total() / asked["create"], 2),
        "poll_gap_ms": {"p50": round(statistics.median(gaps), 2), "p99": round(p99(gaps), 2)},
        "p50_ms": round(statistics.median(took), 2),
        "p99_ms": round(p99(took), 2),
        "cpu_ms_a_generation": {
            "service": round(1000 * spent[0] / asked["create"], 2),
            "fake": round(1000 * spent[1] / asked["create"], 2),
        },
        "spans_dropped": dropped,
    }


def crowd(seconds: float = 30) -> dict[str, Any]:
    """Keep 1,000 generations of 2 s in flight."""
    with recording() as sinks, replicate(predict_seconds=2) as fake:
        environment = {"T2I_REPLICATE_API_URL": fake.url, "T2I_MAX_IN_FLIGHT": "1000", **sinks.otlp}
        with serving(image.service(), environment, SDXL) as service:
            awaken(service, exporters=1)
            with probing(service.url) as health:
                load = wrk(service.url, 1000, seconds)
            resident = memory(service.pid)
            errors = metric(service, "t2i_model_upstream_errors_total")
            dropped = metric(service, "t2i_spans_dropped_total")
    return {
        **asdict(load),
        "peak_mib": resident.peak,
        "health_p99_ms": round(p99(health), 1),
        "health_probes": len(health),
        "upstream_errors": errors,
        "spans_dropped": dropped,
    }


def idle(starts: int = 5) -> dict[str, Any]:
    """Start the program again and again, with and without LangTrace, and weigh it while it rests."""
    figures = {}
    with recording() as sinks:
        for name, environment in (("without LangTrace", sinks.otlp), ("with LangTrace", sinks.otlp | sinks.langtrace)):
            seconds, resting, used = [], [], []
            for _ in range(starts):
                with serving(image.service(), environment) as service:
                    seconds.append(service.seconds_to_ready)
                    resting.append(_resting(service))
                    awaken(service, exporters=len(environment) // 2 + 1)
                    used.append(_resting(service))
            figures[name] = {
                "seconds_to_ready": round(statistics.median(seconds), 2),
                "mib": statistics.median(resting),
                "mib_after_generating": statistics.median(used),
            }
    return figures


def _resting(service: Program) -> float:
    """Return what it holds once it has used no processor for a second."""
    spent = [-1.0]

    def rests() -> bool:
        spent.append(cpu_seconds(service.pid))
        return spent[-1] == spent[-2]

    if not until(rests, seconds=60, every=1):
        raise TimeoutError("the service does not come to rest")
    return memory(service.pid).now


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="instruments, added, crowd, idle; all of them when none is named")
    parser.add_argument("--seconds", type=float, default=4, help="how long each variant is under load in a round")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    parts = {
        "instruments": lambda: instruments(options.seconds, options.rounds),
        "added": added,
        "crowd": crowd,
        "idle": idle,
    }
    figures: dict[str, Any] = {"image": image.described("service")}
    for name in options.parts or parts:
        figures[name] = parts[name]()
        print(json.dumps({name: figures[name]}, indent=1), flush=True)
    name = "-".join(["service", *options.parts])
    print(f"written to {save(name, figures)}")


if __name__ == "__main__":
    main()
