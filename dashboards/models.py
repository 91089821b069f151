"""Models: the guide's panel 5 and the KPIs of the models, one beside the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_operator.builders.monitoring.metrics import BREAKER, COST, MODEL_GENERATIONS
from t2i_operator.builders.monitoring.promql import ENDED, SUCCEEDED

from dashboards.frame import dashboard
from dashboards.panels import FAST, GENERATIONS, STACKED, SUCCESSFUL, TOKENS, Limit, Look, Query, columns, graph
from dashboards.phrases import RETRIES, UPSTREAM_ERRORS, increase, known, quantile, rate, select, troubles

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

SECONDS = "t2i_model_duration_seconds"


def models() -> Dashboard:
    """Build the dashboard on which one sees: which model is fast, reliable and cheap, and which is not."""
    return dashboard(
        "models",
        "Models",
        "Which model is fast, reliable and cheap, and which is not?",
        {"Model against model": [_comparison()], "Generations": _generations(), "Providers": _providers()},
    )


def _comparison() -> Builder[Panel]:
    succeeded = (
        f"{increase(MODEL_GENERATIONS, SUCCEEDED, by='model')} / {increase(MODEL_GENERATIONS, ENDED, by='model')}"
    )
    # A model that costs nothing has no series of cost; a price in several currencies is shown by the graph below.
    cost = f"{increase(COST, by='model')} / ({increase(MODEL_GENERATIONS, by='model')} > 0)"
    return columns(
        "Model against model",
        "Each model over the time shown: how often it was asked, how it ended, how long it took, and what a generation"
        " cost, failed, canceled and refused ones included.",
        "model",
        (Query(increase(MODEL_GENERATIONS, by="model"), "Invocations", decimals=0), "none"),
        (Query(known(succeeded), "Success", decimals=2), "percentunit"),
        (Query(quantile(0.5, SECONDS, by="model", window="$__range"), "Median"), "s"),
        (Query(quantile(0.95, SECONDS, by="model", window="$__range"), "95th percentile"), "s"),
        (Query(cost, "Cost a request"), "none"),
    )


def _generations() -> list[Builder[Panel]]:
    cost = f"{rate(COST, by='model, currency')} / on (model) group_left () ({rate(MODEL_GENERATIONS, by='model')} > 0)"
    succeeded = f"{rate(MODEL_GENERATIONS, SUCCEEDED, by='model')} / {rate(MODEL_GENERATIONS, ENDED, by='model')}"
    return [
        graph(
            "Invocations",
            "Generations a second by model.",
            GENERATIONS,
            Query(rate(MODEL_GENERATIONS, by="model"), "{{model}}"),
        ),
        graph(
            "Latency",
            "How long the provider took, from create to end. A dot is one generation, with the id of its trace: it"
            " leads where the Prometheus data source says.",
            "s",
            Query(quantile(0.5, SECONDS, by="model"), "{{model}} median"),
            Query(quantile(0.95, SECONDS, by="model"), "{{model}} 95th percentile", exemplars=True),
            look=Look(limit=FAST),
        ),
        graph(
            "Success",
            "Share of the generations that succeeded, of those that ended by themselves.",
            "percentunit",
            Query(known(succeeded), "{{model}}"),
            look=Look(limit=SUCCESSFUL, decimals=2),
        ),
        graph(
            "Outcomes",
            "Generations a second by how they ended.",
            GENERATIONS,
            Query(rate(MODEL_GENERATIONS, by="model, status"), "{{model}} {{status}}"),
            look=STACKED,
        ),
        graph(
            "Cost a request",
            "What a generation costs, failed, canceled and refused ones included: a provider charges what they ran.",
            "none",
            Query(cost, "{{model}} in {{currency}}"),
            look=Look(no_value="no model with a price was asked"),
        ),
        graph(
            "Tokens",
            "Tokens a second, where a provider reports them.",
            TOKENS,
            Query(rate("t2i_model_tokens_total", by="model, type"), "{{model}} {{type}}"),
            look=Look(no_value="no provider reports tokens"),
        ),
        graph(
            "Feedback",
            "Ratings given by users over the last hour.",
            "none",
            Query(increase("t2i_model_feedback_total", by="model, rating", window="1h"), "{{model}} {{rating}}"),
            look=Look(stacked=True, decimals=0, no_value="nobody has rated a picture"),
        ),
    ]


def _providers() -> list[Builder[Panel]]:
    return [
        graph(
            "Requests to providers that failed",
            "By model and reason.",
            "reqps",
            Query(troubles(UPSTREAM_ERRORS), "{{model}}: {{reason}}"),
            look=Look(stacked=True, no_value="none failed"),
        ),
        graph(
            "Retries",
            "Requests to providers that were sent again, by model and reason.",
            "reqps",
            Query(troubles(RETRIES), "{{model}}: {{reason}}"),
            look=Look(stacked=True, no_value="none was needed"),
        ),
        graph(
            "Circuit breakers",
            "0: closed, requests pass; 1: half open, one request tries; 2: open, the service has given up for now.",
            "none",
            Query(f"max by (model) ({select(BREAKER)})", "{{model}}"),
            look=Look(limit=Limit(2)),
        ),
        graph(
            "Polling gap",
            "Time between a prediction's end and its being noticed.",
            "s",
            Query(quantile(0.95, "t2i_model_poll_gap_seconds", by="model"), "{{model}} 95th percentile"),
            look=Look(no_value="nothing is polled"),
        ),
    ]
