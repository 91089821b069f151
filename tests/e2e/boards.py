"""A service's dashboards as Grafana asks them: every query of every panel, with the variables filled in."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tests.e2e.subject import Subject

TOPICS = ("overview", "models", "business", "traces")
# What Grafana's data source asks of Jaeger's API for a query of a type.
PAGES_OF_JAEGER = {"dependencyGraph": "dependencies"}
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")


class Query(NamedTuple):
    """One query of a panel; `legend` is its series' name, which tells the queries of a panel apart."""

    topic: str
    title: str
    legend: str
    expr: str


class Variable(NamedTuple):
    """A choice: the query whose samples fill it, of each the part that is taken, and what is chosen at first."""

    name: str
    expr: str
    part: str
    chosen: str

    def offered(self, samples: Iterable[Mapping[str, str]]) -> set[str]:
        """Return what there is to choose from when the query gives samples of these labels, each of which is 1."""
        written = (",".join(f'{label}="{value}"' for label, value in labels.items()) for labels in samples)
        return {part[1] for labels in written if (part := re.search(self.part, f"{{{labels}}} 1 1700000000000"))}


def queries(subject: Subject, topic: str, *, window: str = "1m", shown: str = "30m") -> list[Query]:
    """Return them as for a dashboard that shows so much time; `window` stands for Grafana's `$__rate_interval`."""
    return filled_queries(topic, _text(subject, topic), window=window, shown=shown)


def variables(subject: Subject, topic: str) -> list[Variable]:
    """Return those that ask Prometheus, as Grafana fills them in when nobody has chosen yet."""
    return filled_variables(_text(subject, topic))


def filled_variables(text: str, *, shown: str = "30m", **chosen: str) -> list[Variable]:
    """Return those of any dashboard's JSON that has a service chosen; `chosen` is what somebody chose instead."""
    found = json.loads(text)["templating"]["list"]
    chosen = {each["name"]: each["current"]["value"] for each in found if "current" in each} | chosen
    return [
        Variable(each["name"], _asked(_filled(each["query"], chosen | {"__range": shown})), _part(each), value)
        for each in found
        if each["type"] == "query" and (value := chosen[each["name"]])
    ]


def pages_of_jaeger(subject: Subject, topic: str) -> dict[str, str]:
    """Return which page of Jaeger's API each panel shows that asks it, by the panel's title."""
    return {
        panel["title"]: PAGES_OF_JAEGER[target["queryType"]]
        for panel in json.loads(_text(subject, topic))["panels"]
        for target in panel.get("targets", ())
        if target["datasource"]["type"] == "jaeger"
    }


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
        if "expr" in target  # Prometheus' own; see `pages_of_jaeger`
    ]


def _text(subject: Subject, topic: str) -> str:
    (text,) = subject.get("configmap", f"{subject.name}-dashboard-{topic}")["data"].values()
    return str(text)


def _asked(query: str) -> str:
    found = _QUERY_RESULT.fullmatch(query)
    assert found, f"{query} offers what is chosen only while it has series"
    return found[1]


def _part(variable: dict[str, Any]) -> str:
    """Return the regular expression whose first group is taken, which is written between slashes."""
    return str(variable["regex"]).removeprefix("/").removesuffix("/")


def _filled(expr: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        expr = expr.replace(f"${{{name}}}", value).replace(f"${name}", value)
    return expr
