"""Overview: the guide's panels 1 to 4 and 6, the KPIs of the application, its error budgets and its resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_operator.builders.monitoring.metrics import GENERATIONS, REQUEST_SECONDS, REQUESTS
from t2i_operator.builders.monitoring.promql import (
    ENDED,
    FAILED,
    GENERATION,
    JUDGED,
    SERVER_ERROR,
    SUCCEEDED,
    SYNCHRONOUS,
)

from dashboards.frame import dashboard
from dashboards.panels import AVAILABLE, FAST, SPANS, STACKED, SUCCESSFUL, Limit, Look, Query, graph, number
from dashboards.phrases import UPSTREAM_ERRORS, increase, known, or_zero, quantile, rate, select, troubles

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel


def overview() -> Dashboard:
    """Build the dashboard on which one sees: is the service well, and if not, since when and in what."""
    return dashboard(
        "overview",
        "Overview",
        "Is the service well, and if not, since when and in what?",
        {
            "At a glance": _glance(),
            "Requests": _requests(),
            "Capacity": _capacity(),
            "Error budget": _budget(),
            "Resources": _resources(),
            "Telemetry": [_spans_lost()],
        },
    )


def _glance() -> list[Builder[Panel]]:
    failed, answered = or_zero(increase(REQUESTS, SERVER_ERROR)), increase(REQUESTS, JUDGED)
    return [
        number(
            "Pods answering",
            "Pods that answer Prometheus now. Red at none, also where none is wanted or metrics are switched off.",
            "none",
            or_zero(f"sum({select('up')})"),
            look=Look(limit=Limit(1, below=True), span=3),
        ),
        number(
            "Availability",
            "Share of the requests for images, asynchronous ones too, that were not answered 5xx, over the time shown;"
            " those of callers who were not let in (401, 429) are left out.",
            "percentunit",
            f"1 - {known(f'{failed} / {answered}')}",
            look=Look(limit=AVAILABLE, decimals=2, no_value="no requests"),
        ),
        number(
            "Uptime",
            "Share of the minutes in which at least one pod answered Prometheus, counted from the first of the time"
            " shown in which there was a pod: from then on, no pod at all counts as down, and so do minutes in which"
            " Prometheus itself was away.",
            "percentunit",
            _uptime(),
            look=Look(limit=AVAILABLE, decimals=2, span=3, no_value="no pod seen"),
        ),
        number("Request rate", "Requests for images a second.", "reqps", rate(REQUESTS, GENERATION), Look(span=3)),
        number(
            "Response time",
            "95th percentile of the requests for images.",
            "s",
            quantile(0.95, REQUEST_SECONDS, SYNCHRONOUS),
            look=Look(limit=FAST, no_value="no requests"),
        ),
        number(
            "Generation success",
            "Share of the generations that succeeded, of those that ended by themselves, over the time shown.",
            "percentunit",
            known(f"{increase(GENERATIONS, SUCCEEDED)} / {increase(GENERATIONS, ENDED)}"),
            look=Look(limit=SUCCESSFUL, decimals=2, no_value="no generations"),
        ),
        number(
            "Active requests", "Requests being served now.", "none", f"sum({select('active_requests')})", Look(span=3)
        ),
    ]


def _uptime() -> str:
    """Divide by the minutes since the first: an average would skip those without any pod, which leave no sample."""
    up = f"max({select('up')})"
    first = f"min_over_time(timestamp({up})[$__range:1m])"
    return f"sum_over_time(({up})[$__range:1m]) / floor((time() - {first}) / 60 + 1)"


def _requests() -> list[Builder[Panel]]:
    ratio = known(f"{or_zero(rate(GENERATIONS, FAILED))} / {rate(GENERATIONS, ENDED)}")
    return [
        graph(
            "Request rate",
            "Requests a second by endpoint; probes and scrapes are left out.",
            "reqps",
            Query(rate(REQUESTS, 'endpoint!~"/health|/ready|/metrics"', by="endpoint"), "{{endpoint}}"),
        ),
        graph(
            "Response time",
            "Percentiles of the requests for images. A dot is one request, with the id of its trace: it leads where the"
            " Prometheus data source says.",
            "s",
            Query(quantile(0.5, REQUEST_SECONDS, SYNCHRONOUS), "median"),
            Query(quantile(0.95, REQUEST_SECONDS, SYNCHRONOUS), "95th percentile", exemplars=True),
            Query(quantile(0.99, REQUEST_SECONDS, SYNCHRONOUS), "99th percentile"),
            look=Look(limit=FAST),
        ),
        graph(
            "Success rate",
            "Success and error, of the generations that ended by themselves; those that callers canceled or the model"
            " refused are left out.",
            "percentunit",
            Query(f"1 - {ratio}", "success"),
            Query(ratio, "error"),
            look=Look(decimals=2),
        ),
        graph(
            "Active requests",
            "Requests being served at the same time.",
            "none",
            Query(f"sum by (pod) ({select('active_requests')})", "{{pod}}"),
            look=STACKED,
        ),
        graph(
            "Errors by status",
            "Answers other than success: 4xx are the callers', 5xx are ours.",
            "reqps",
            Query(rate(REQUESTS, 'status=~"4..|5.."', by="endpoint, status"), "{{status}} {{endpoint}}"),
            look=Look(stacked=True, no_value="no errors"),
        ),
        graph(
            "Errors by their cause",
            "Requests to the providers that failed, by model and reason.",
            "reqps",
            Query(troubles(UPSTREAM_ERRORS), "{{model}}: {{reason}}"),
            look=Look(stacked=True, no_value="no errors"),
        ),
    ]


def _capacity() -> list[Builder[Panel]]:
    return [
        graph(
            "Generations at the same time",
            "Generations that run, and that wait for their turn, in all pods.",
            "none",
            Query(f"sum({select('t2i_generations_in_flight')})", "running"),
            Query(f"sum({select('t2i_generations_queued')})", "waiting"),
            look=STACKED,
        ),
        graph(
            "Waiting and turned away",
            "95th percentile of the wait for a turn; on the right, by what had no room, who was answered 503 instead.",
            "s",
            Query(quantile(0.95, "t2i_generation_queue_wait_seconds"), "wait, 95th percentile"),
            Query(rate("t2i_generations_rejected_total", by="reason"), "turned away: {{reason}}", unit="reqps"),
            look=Look(no_value="nothing waits"),
        ),
    ]


def _budget() -> list[Builder[Panel]]:
    left = select("t2i:slo_budget:remaining_ratio")
    usual, upper, lower = (select(f"t2i:signal{part}", 'signal="requests"') for part in ("", ":upper", ":lower"))
    return [
        graph(
            "Error budget left",
            "What is left of the budgets of availability and latency, up to an hour behind; below 0 one is missed.",
            "percentunit",
            Query(f"max by (slo) ({left})", "{{slo}}"),
            look=Look(limit=Limit(0, below=True), minimum=None),
        ),
        graph(
            "Burn rate",
            "How many times faster than allowed the error budgets go, by window.",
            "none",
            Query(f"max by (slo, window) ({select('t2i:slo_burn:rate')})", "{{slo}} {{window}}"),
            look=Look(limit=Limit(1)),
        ),
        graph(
            "Requests and what is usual",
            "Requests of the last 30 minutes, and the band learnt from the same hours before (after a week).",
            "none",
            Query(f"max({usual})", "requests"),
            Query(f"max({upper})", "upper end of the usual"),
            Query(f"max({lower})", "lower end of the usual"),
            look=Look(span=24, decimals=0),
        ),
    ]


def _resources() -> list[Builder[Panel]]:
    return [
        graph(
            "CPU",
            "Processor time of each pod, in cores.",
            "none",
            Query(f"sum by (pod) (rate({select('process_cpu_seconds_total')}[$__rate_interval]))", "{{pod}}"),
        ),
        graph(
            "Memory",
            "Resident memory of each pod.",
            "bytes",
            Query(f"sum by (pod) ({select('process_resident_memory_bytes')})", "{{pod}}"),
        ),
    ]


def _spans_lost() -> Builder[Panel]:
    """Stand here and not with the traces: those may go to a Jaeger that is not the operator's, and to LangTrace."""
    return graph(
        "Spans lost",
        "Spans a second that the service could not deliver.",
        SPANS,
        Query(rate("t2i_spans_dropped_total", by="exporter, reason"), "{{exporter}}: {{reason}}"),
        look=Look(no_value="none"),
    )
