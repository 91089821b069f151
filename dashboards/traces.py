"""Traces: what the spans say in sum, and the way from there to a single trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboards.frame import dashboard
from dashboards.panels import SPANS, Look, Query, columns, dependencies, graph
from dashboards.phrases import known

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

# Jaeger is scraped as a service of its own, beside the one whose spans it takes.
JAEGER = 'namespace="$namespace",service="${jaeger}-jaeger-collector"'
CALLS, SECONDS = "traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds_bucket"
ENDED_IN_ERROR = 'status_code="STATUS_CODE_ERROR"'
CLIENT = 'span_kind="SPAN_KIND_CLIENT"'
# Jaeger counts what it is sent; what its own tail sampling leaves out it has counted before.
SAMPLED = " With tracing.samplingRatio below 1 of that share of the requests only."


def traces() -> Dashboard:
    """Build the dashboard on which one sees: in which step is the time lost, and who calls whom."""
    return dashboard(
        "traces",
        "Traces",
        "In which step is the time lost, and who calls whom?",
        {"Steps": _steps(), "Dependencies": _dependencies(), "Collection": _collection()},
    )


def _rate(
    metric: str, matchers: str = "", by: str = "service_name, span_name", window: str = "$__rate_interval"
) -> str:
    return f"sum by ({by}) (rate({metric}{{{JAEGER}{',' if matchers else ''}{matchers}}}[{window}]))"


def _quantile(share: float, by: str = "service_name, span_name", window: str = "$__rate_interval") -> str:
    return known(f"histogram_quantile({share}, {_rate(SECONDS, by=f'{by}, le', window=window)})")


def _steps() -> list[Builder[Panel]]:
    legend = "{{service_name}} {{span_name}}"
    return [
        columns(
            "Steps",
            f"Each step of a request over the time shown.{SAMPLED}",
            "span_name",
            (Query(_rate(CALLS, by="span_name", window="$__range"), "Spans a second"), SPANS),
            (Query(_quantile(0.95, by="span_name", window="$__range"), "95th percentile"), "s"),
        ),
        graph("Spans", f"Spans a second by service and step.{SAMPLED}", SPANS, Query(_rate(CALLS), legend)),
        graph(
            "Slow steps",
            "95th percentile by step. A dot is one slow span, with the id of its trace: it leads where the Prometheus"
            f" data source says.{SAMPLED}",
            "s",
            Query(_quantile(0.95), legend, exemplars=True),
        ),
        graph(
            "Failed steps",
            f"Spans a second that ended in an error.{SAMPLED}",
            SPANS,
            Query(_rate(CALLS, ENDED_IN_ERROR), legend),
            look=Look(no_value="none failed"),
        ),
    ]


def _dependencies() -> list[Builder[Panel]]:
    return [
        dependencies(
            "Dependencies",
            "Who calls whom, as Jaeger derives it from the traces it holds; a caller shows when it exports its own"
            " spans. With Elasticsearch or OpenSearch it is empty until a job of yours, spark-dependencies, derives it."
            " Grafana needs a data source of the kind Jaeger, with the address of this service's Jaeger.",
        ),
        graph(
            "Calls to others",
            f"Calls a second that a service makes: the lines of the dependency graph.{SAMPLED}",
            "reqps",
            Query(_rate(CALLS, CLIENT), "{{service_name}} to {{span_name}}"),
        ),
    ]


def _collection() -> list[Builder[Panel]]:
    collected = _rate("otelcol_receiver_accepted_spans_total", by="transport")
    return [
        graph("Spans taken in", "Spans a second that Jaeger received.", SPANS, Query(collected, "{{transport}}")),
    ]
