"""How long Prometheus takes for the rules of many services, with a month of what they record behind them."""

from __future__ import annotations

import os
import re
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i_operator import naming, spec
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule

from dev.bench.exposition import REQUESTS, continued, minutes_at, of_service
from dev.bench.made_by_rules import label_sets, resource
from dev.bench.measure import cpu_seconds, memory
from dev.bench.prometheus import Prometheus, observing, version, write_blocks
from dev.bench.targets import exposing, labels, spelled
from dev.cluster.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dev.bench.exposition import Sample

DAYS = 30
RAW_SECONDS = 2 * 3600 + 600  # the longest window over raw counters, and a margin
SCRAPE_SECONDS = 30
_RAW_WINDOW = re.compile(r"(\w+)\{")
_LONG_WINDOW = re.compile(r"(t2i:[\w:]+)\{[^}]*\}\[")


def evaluation(services: int = 100, seconds: float = 660) -> dict[str, Any]:
    """Evaluate for so long, at least twice the slowest group's interval."""
    samples = of_service()
    resources = [resource(number) for number in range(services)]
    rules = {each.metadata.name: prometheus_rule(each)["spec"] for each in resources}
    with tempfile.TemporaryDirectory() as folder:
        now = int(time.time())
        write_blocks(Path(folder), now - DAYS * 86400, now, lambda *span: _history(resources, samples, now, *span))
        targets = [labels(each, naming.service(each.metadata.name)) for each in resources]
        with exposing(samples, targets) as scrape, observing(Path(folder), [scrape], rules) as prometheus:
            return {"services": services, "prometheus": version(), **_watched(prometheus, services, seconds)}


def _watched(prometheus: Prometheus, services: int, seconds: float) -> dict[str, Any]:
    """Read every evaluation of every group: each is known by the time at which it was made."""
    seen: dict[str, dict[float, float]] = defaultdict(dict)
    end = time.monotonic() + seconds
    pid = prometheus.program.pid
    loaded = prometheus.get("rules")["groups"]
    intervals = {each["name"].rpartition(".")[2]: float(each["interval"]) for each in loaded}
    begun, spent = time.monotonic(), cpu_seconds(pid)

    def over() -> bool:
        last = prometheus.own("prometheus_rule_group_last_evaluation_timestamp_seconds", "rule_group")
        took = prometheus.own("prometheus_rule_group_last_duration_seconds", "rule_group")
        for group, at in last.items():
            if at > 0:
                seen[group][at] = took[group]
        return time.monotonic() > end

    until(over, seconds=seconds + 60, every=5)
    medians = {group.rpartition(";")[2]: statistics.median(each.values()) for group, each in seen.items()}
    by_kind: dict[str, list[float]] = defaultdict(list)
    for group, median in medians.items():
        by_kind[group.rpartition(".")[2]].append(median)
    # Of groups with an interval of an hour, a run sees some: they stand for the others.
    kinds = {kind: statistics.mean(each) * services for kind, each in by_kind.items()}
    longest = {group.rpartition(";")[2]: max(each.values()) for group, each in seen.items()}
    return {
        "groups": len(loaded),
        "groups_seen": len(medians),
        "evaluations": sum(len(each) for each in seen.values()),
        "failures": sum(prometheus.own("prometheus_rule_evaluation_failures_total", "rule_group").values()),
        "sum_ms": round(1000 * sum(kinds.values()), 1),
        "share_of_time": round(sum(took / intervals[kind] for kind, took in kinds.items()), 4),
        "longest_ms": round(1000 * max(longest.values()), 1),
        "longest_group": max(longest, key=longest.__getitem__),
        "sum_by_group_ms": {kind: round(1000 * took, 1) for kind, took in sorted(kinds.items())},
        "load_average": os.getloadavg()[0],
        "cpu_share": round((cpu_seconds(pid) - spent) / (time.monotonic() - begun), 3),
        "memory_mib": memory(pid)._asdict(),
        "series": prometheus.get("status/tsdb")["headStats"]["numSeries"],
        "series_recorded": int(prometheus.value('count({__name__=~"t2i:.*"})')),
        "alerts_firing": int(prometheus.value('count(ALERTS{alertstate="firing"})')),
    }


def _history(
    resources: Sequence[spec.TextToImageService], samples: Sequence[Sample], now: int, first: int, last: int
) -> Iterator[str]:
    """Yield what rules look back on: recorded series over all the days, raw counters over the longest raw window."""
    for each in resources:
        groups = prometheus_rule(each)["spec"]["groups"]
        expressions = " ".join(rule["expr"] for group in groups for rule in group["rules"])
        looked_back = set(_LONG_WINDOW.findall(expressions))
        for group in groups:
            step = int(spec.seconds(group.get("interval", f"{SCRAPE_SECONDS}s")))
            for rule in group["rules"]:
                if rule.get("record") in looked_back:
                    yield from _recorded(rule, first, last, step)
        if last > now - RAW_SECONDS:
            queried = set(_RAW_WINDOW.findall(expressions))
            target = spelled(labels(each, naming.service(each.metadata.name)))
            raw = [sample for sample in samples if sample.name in queried]
            begin = max(first, now - RAW_SECONDS)
            yield from continued(raw, target, begin, last, SCRAPE_SECONDS)


def _recorded(rule: dict[str, Any], begin: int, end: int, step: int) -> Iterator[str]:
    """Write the series of a recording rule as the traffic that is scraped would have made them."""
    aligned = range(begin - begin % step + step, end, step)
    for each in label_sets(rule):
        series = f"{rule['record']}{{{spelled(each)}}}"
        window, a_minute = _growth(rule["record"], each)
        yield "".join(
            f"{series} {a_minute * (minutes_at(time) - minutes_at(time - window)):.12g} {time}\n" for time in aligned
        )


def _growth(record: str, labels: dict[str, str]) -> tuple[int, float]:
    """Return over how many seconds a sample is taken, and what came in each minute; a thousandth of requests failed."""
    if signal := labels.get("signal"):
        return 1800, {"requests": REQUESTS, "cost": 0.01 * REQUESTS, "latency": 0.002, "errors": 0.00003}[signal]
    _, _, window = record.rpartition("increase")
    a_minute = 0.01 * REQUESTS if "cost" in record else REQUESTS
    return int(spec.seconds(window)), a_minute / 1000 if labels.get("count") == "errors" else a_minute
