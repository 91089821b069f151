"""Business: how much is asked for, by whom, for how much money, and against last week."""

from __future__ import annotations

from typing import TYPE_CHECKING

from t2i_operator.builders.monitoring.metrics import COST, MODEL_GENERATIONS, REQUESTS
from t2i_operator.builders.monitoring.promql import GENERATION, SUCCEEDED

from dashboards.frame import dashboard
from dashboards.panels import Look, Query, columns, graph, number
from dashboards.phrases import increase, or_zero, rate, select

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders.dashboard import Dashboard
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Panel

WHOLE = Look(decimals=0)


def business() -> Dashboard:
    """Build the dashboard on which one sees: who uses the service, how much, and what does it cost."""
    return (
        dashboard(
            "business",
            "Business",
            "Who uses the service, how much, and what does it cost?",
            {"Volume": _volume(), "Callers": _callers(), "Cost": _cost()},
        )
        .time("now-7d", "now")
        .refresh("5m")
    )


def _volume() -> list[Builder[Panel]]:
    last_week = f"sum(rate({select(REQUESTS, GENERATION)}[1h] offset 1w))"
    before = f"sum(increase({select(REQUESTS, GENERATION)}[1d] offset 1w))"
    return [
        number("Pictures today", "Generations that succeeded in the last 24 hours.", "none", _last("1d"), WHOLE),
        number("Pictures this week", "Generations that succeeded in the last 7 days.", "none", _last("1w"), WHOLE),
        number(
            "Against last week",
            "Requests for images of the last 24 hours, against the same 24 hours a week ago.",
            "percentunit",
            f"{increase(REQUESTS, GENERATION, window='1d')} / ({before} > 0) - 1",
            look=Look(no_value="nothing a week ago"),
        ),
        graph(
            "Requests, this week and last",
            "Requests for images a second, averaged over an hour, and the same a week earlier.",
            "reqps",
            Query(rate(REQUESTS, GENERATION, window="1h"), "this week"),
            Query(last_week, "last week"),
            look=Look(span=24),
        ),
        graph(
            "Pictures a day",
            "Generations that succeeded in the 24 hours before, by model.",
            "none",
            Query(increase(MODEL_GENERATIONS, SUCCEEDED, by="model", window="1d"), "{{model}}"),
            look=Look(stacked=True, decimals=0),
        ),
    ]


def _last(window: str) -> str:
    return increase(MODEL_GENERATIONS, SUCCEEDED, window=window)


def _callers() -> list[Builder[Panel]]:
    return [
        graph(
            "Requests by key",
            "Requests a second by the caller's API key: for images, for what became of them, and feedback.",
            "reqps",
            Query(rate("t2i_key_requests_total", by="key"), "{{key}}"),
            look=Look(stacked=True, no_value="nobody has asked yet"),
        ),
        number(
            "Active callers",
            "API keys that were used in the last 24 hours; where none is asked for, all callers are one, anonymous.",
            "none",
            or_zero(f"count({increase('t2i_key_requests_total', by='key', window='1d')} > 0)"),
        ),
        columns(
            "Models in demand",
            "Generations over the time shown. Prompts are in no metric: LangTrace shows them.",
            "model",
            (Query(increase(MODEL_GENERATIONS, by="model"), "Generations", decimals=0), "none"),
            span=8,
        ),
    ]


def _cost() -> list[Builder[Panel]]:
    return [
        graph(
            "Cost a day",
            "What generations of the 24 hours before cost, failed ones included.",
            "none",
            Query(increase(COST, by="model, currency", window="1d"), "{{model}} in {{currency}}"),
            look=Look(stacked=True, no_value="no model has a price"),
        ),
        graph(
            "Cost a week",
            "What generations of the 7 days before cost.",
            "none",
            Query(increase(COST, by="currency", window="1w"), "{{currency}}"),
            look=Look(no_value="no model has a price"),
        ),
    ]
