"""The operator itself: whether it keeps up, and with what it has trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.frame import OPERATOR, dashboard
from dashboards.panels import STACKED, Limit, Look, Query, graph, number
from dashboards.phrases import known, or_zero

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel


def operations() -> Dashboard:
    """Build the dashboard on which one sees: is the operator keeping up, and with what does it have trouble."""
    return dashboard(
        "operator",
        "Operator",
        "Is the operator keeping up, and with what does it have trouble?",
        {"Resources": _resources(), "Work": _work(), "Cluster": _cluster()},
        scoped=False,
    )


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate(t2i_operator_{metric}{{{OPERATOR}}}[$__rate_interval]))"


def _resources() -> list[Builder[Panel]]:
    ready = or_zero(f'sum(t2i_operator_resources{{{OPERATOR},condition="Ready",status="True"}})')
    return [
        number("Ready", "Resources whose condition Ready is True.", "none", ready, Look(span=6)),
        number(
            "Leading",
            "Replicas that lead: one, or nothing is reconciled.",
            "none",
            or_zero(f"sum(t2i_operator_leader{{{OPERATOR}}})"),
            Look(limit=Limit(1, below=True), span=6),
        ),
        graph(
            "Conditions that do not hold",
            "Resources by condition whose status is not True.",
            "none",
            Query(
                f'sum by (condition, status) (t2i_operator_resources{{{OPERATOR},status!="True"}}) > 0',
                "{{condition}} {{status}}",
            ),
            look=Look(stacked=True, no_value="all hold"),
        ),
    ]


def _work() -> list[Builder[Panel]]:
    seconds = known(f"histogram_quantile(0.99, {_rate('reconcile_duration_seconds_bucket', 'le')})")
    return [
        graph(
            "Reconciliations",
            "Reconciliations a second by result.",
            "ops",
            Query(_rate("reconciles_total", "result"), "{{result}}"),
            look=STACKED,
        ),
        graph("Duration", "99th percentile of a reconciliation.", "s", Query(seconds, "99th percentile")),
        graph(
            "Waiting",
            "Resources that wait to be reconciled.",
            "none",
            Query(f"sum(t2i_operator_queue_depth{{{OPERATOR}}})", "waiting"),
        ),
        graph(
            "Longest wait",
            "How long the first in the queue has waited.",
            "s",
            Query(f"max(t2i_operator_queue_oldest_seconds{{{OPERATOR}}})", "first in the queue"),
            look=Look(limit=Limit(300)),
        ),
        graph(
            "Repairs",
            "Objects a second that were put back after others changed them.",
            "ops",
            Query(_rate("drift_repaired_total", "kind"), "{{kind}}"),
            look=Look(stacked=True, no_value="nothing had to be repaired"),
        ),
    ]


def _cluster() -> list[Builder[Panel]]:
    return [
        graph(
            "Requests to the API server",
            "Requests a second by verb and answer.",
            "reqps",
            Query(_rate("api_requests_total", "verb, code"), "{{verb}} {{code}}"),
            look=STACKED,
        ),
        graph(
            "Age of the streams",
            "Time since each watch was heard; liveness fails when one is broken, not when it is forbidden.",
            "s",
            Query(f"max by (stream) (t2i_operator_watch_age_seconds{{{OPERATOR}}})", "{{stream}}"),
            look=Look(limit=Limit(300)),
        ),
        graph(
            "Memory",
            "Resident memory of each replica.",
            "bytes",
            Query(f"sum by (pod) (process_resident_memory_bytes{{{OPERATOR}}})", "{{pod}}"),
        ),
    ]
