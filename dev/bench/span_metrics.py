"""Whether Jaeger, as the operator configures it, counts every request, and what it holds meanwhile."""

from __future__ import annotations

import json
import re
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from t2i_operator.builders.monitoring.jaeger import configuration as ports
from t2i_operator.builders.monitoring.jaeger import memory as pod
from t2i_operator.builders.monitoring.jaeger.deployment import deployment

from dev.bench.exposition import Sample, read, scrape
from dev.bench.made_by_rules import resource
from dev.bench.measure import cpu_seconds, memory
from dev.bench.programs import Program, free_port, running
from dev.bench.spans import ROOT, of_request, send, with_callers
from dev.cluster.waiting import until
from dev.stack.jaeger import binary, on_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from t2i_operator import spec

RATE = 200
SAMPLED_SECONDS = 10.0
# By the ServiceMonitor of Jaeger: what it says of itself, where Prometheus has labels of its own.
_DROPPED_LABELS = re.compile(r'\b(?:otel_scope_\w+|job|instance)="[^"]*",?')
_CALLS = "traces_span_metrics_calls_total"
_DROPPED = ("otelcol_receiver_refused_spans", "otelcol_processor_refused_spans", "otelcol_exporter_send_failed_spans")


@dataclass(frozen=True)
class Jaeger:
    """A running one; `limit_mib` is what the pod would have."""

    program: Program
    port: dict[int, int]
    limit_mib: int

    def samples(self) -> list[Sample]:
        """Return the span metrics and the collector's own, as Prometheus gets them."""
        pages = (self.port[ports.SPAN_METRICS], self.port[ports.METRICS])
        found = (sample for page in pages for sample in read(scrape(f"http://127.0.0.1:{page}/metrics")))
        return [sample._replace(labels=_DROPPED_LABELS.sub("", sample.labels).rstrip(",")) for sample in found]

    def calls(self, span: str) -> int:
        """Return how many spans of a name were counted."""
        named = f'span_name="{span}"'
        return int(sum(each.value for each in self.samples() if each.name == _CALLS and named in each.labels))


@contextmanager
def tracing(owner: spec.TextToImageService) -> Iterator[Jaeger]:
    """Run the operator's Jaeger."""
    limit = deployment(owner, "")["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    mebibytes = int(limit.removesuffix("Mi"))
    loopback = on_loopback(owner, free_port, mebibytes)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(loopback.configuration))
        argv: list[str | Path] = [binary(), f"--config={config}"]
        environment = {each["name"]: each["value"] for each in pod.environment(owner)}
        with running(argv, loopback.port[ports.HEALTH], "/status", environment) as program:
            yield Jaeger(program, loopback.port, mebibytes)


def span_metrics(seconds: float = 60) -> dict[str, Any]:
    """Send the spans of so many seconds and compare what was counted."""
    spans, owner = with_callers(of_request()), resource(0)
    held: list[float] = []
    with tracing(owner) as jaeger:
        pid, begun, cpu = jaeger.program.pid, time.monotonic(), cpu_seconds(jaeger.program.pid)

        def watch() -> None:
            if time.monotonic() > begun + len(held) * max(SAMPLED_SECONDS, seconds / 60):
                held.append(memory(pid).now)

        sent = send(f"127.0.0.1:{jaeger.port[ports.OTLP_GRPC]}", spans, RATE, seconds, watch)
        cpu_share = (cpu_seconds(pid) - cpu) / (time.monotonic() - begun)
        until(lambda: jaeger.calls(ROOT) >= sent.requests, seconds=40, every=1)
        samples = jaeger.samples()
        return {
            "requests_a_second": RATE,
            "seconds": seconds,
            "requests_sent": sent.requests,
            "requests_refused": sent.refused,
            "requests_counted": jaeger.calls(ROOT),
            "spans_sent": sent.requests * len(spans),
            "traces_kept_at_most": pod.kept_traces(owner),
            "spans_dropped": sum(each.value for each in samples if each.name.startswith(_DROPPED)),
            "series": len(samples),
            "cpu_share": round(cpu_share, 3),
            "memory_limit_mib": jaeger.limit_mib,
            "memory_mib": memory(pid)._asdict(),
            "memory_over_time_mib": held,
        }


def of_jaeger(owner: spec.TextToImageService) -> list[Sample]:
    """Return what a Jaeger exposes that has been sent some requests."""
    spans = of_request()
    with tracing(owner) as jaeger:
        sent = send(f"127.0.0.1:{jaeger.port[ports.OTLP_GRPC]}", spans, RATE, 3, lambda: None)
        until(lambda: jaeger.calls(ROOT) >= sent.requests, seconds=40, every=1)
        return jaeger.samples()
