"""A service's dashboards as Grafana asks them: every query of every panel, with the variables filled in."""

import json
from typing import NamedTuple

from tests.e2e.subject import Subject

TOPICS = ("overview", "models", "business", "traces")


class Query(NamedTuple):
    """One query of a panel; `legend` is its series' name, which tells the queries of a panel apart."""

    topic: str
    title: str
    legend: str
    expr: str


def queries(subject: Subject, topic: str, *, window: str = "1m", shown: str = "30m") -> list[Query]:
    """Return them as for a dashboard that shows so much time; `window` stands for Grafana's `$__rate_interval`."""
    (text,) = subject.get("configmap", f"{subject.name}-dashboard-{topic}")["data"].values()
    return filled_queries(topic, text, window=window, shown=shown)


def filled_queries(topic: str, text: str, *, window: str, shown: str, **chosen: str) -> list[Query]:
    """Return those of any dashboard's JSON; `chosen` are variables that nothing has set."""
    dashboard = json.loads(text)
    variables = {
        each["name"]: each["current"]["value"] for each in dashboard["templating"]["list"] if "current" in each
    }
    variables |= {"__rate_interval": window, "__range": shown, **chosen}
    return [
        Query(topic, panel["title"], target["legendFormat"], _filled(target["expr"], variables))
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        if "expr" in target  # Prometheus' own; a graph of services is asked of Jaeger
    ]


def _filled(expr: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return expr
