"""What all dashboards have: variables, links to each other, and alerts as annotations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from t2i_operator.builders.monitoring.dashboard import OFFERED, SEARCHED
from t2i_operator.builders.monitoring.links import RUNBOOKS, RUNBOOKS_TITLE, TRACES_TITLE

from dashboards.panels import DATASOURCE
from dashboards.phrases import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TAG = "text-to-image"
# Operators of several classes are told apart by the namespaces that they are in.
OPERATOR = 'job="text-to-image-operator",namespace="$namespace"'


def dashboard(
    topic: str, title: str, description: str, rows: Mapping[str, Sequence[Builder[model.Panel]]], *, scoped: bool = True
) -> build.Dashboard:
    """Put a topic's rows of panels on a dashboard; `scoped` ones are about a service, others about an operator."""
    whose = SERVICE if scoped else OPERATOR
    built = (
        build.Dashboard(f"Text to image / {title}")
        .uid(f"t2i-{topic}")
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .editable()
        .link(_other_dashboards())
        .link(_runbooks())
        .link(explore("Query Prometheus", "prometheus", "${datasource}", {"expr": f"up{{{whose}}}"}))
        .with_variable(datasource_variable("datasource", "Data source", "prometheus"))
    )
    if scoped:
        for name, series in OFFERED.items():
            built = built.with_variable(query_variable(name, name.capitalize(), f"label_values({series}, {name})"))
        built = _with_traces(built).annotation(_Alerts(SERVICE))
    else:
        leaders = 'label_values(t2i_operator_leader{job="text-to-image-operator"}, namespace)'
        alerts = 'namespace="$namespace",alertname=~"TextToImageOperator.+"'
        built = built.with_variable(query_variable("namespace", "Operator in", leaders)).annotation(_Alerts(alerts))
    for name, panels in rows.items():
        built = built.with_row(build.Row(name))
        for panel in panels:
            built = built.with_panel(panel)
    return built


def datasource_variable(name: str, label: str, kind: str) -> build.DatasourceVariable:
    """Let people choose among the data sources of a kind that their Grafana has."""
    return build.DatasourceVariable(name).label(label).type(kind)


def query_variable(name: str, label: str, query: str) -> build.QueryVariable:
    """Let the series themselves say what there is to choose from."""
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


def _with_traces(built: build.Dashboard) -> build.Dashboard:
    """Lead to the service's traces, in the Jaeger that is chosen; the operator takes this away where it runs none.

    A resource has its name from its Service's, which may have no series: its Jaeger is named after it too.
    """
    service, traces = SEARCHED
    search = {"queryType": "search", "service": f"${{{service}}}"}
    chosen = 'query_result(label_replace(vector(1), "service", "$service", "", ""))'
    named = query_variable(service, service.capitalize(), chosen).regex('/service="(.*)-service"/')
    return (
        built.link(explore(TRACES_TITLE, "jaeger", f"${{{traces}}}", search))
        .with_variable(named.hide(model.VariableHide.HIDE_VARIABLE))
        .with_variable(datasource_variable(traces, traces.capitalize(), "jaeger"))
    )


def _other_dashboards() -> build.DashboardLink:
    """Lead to all others without the variables: one service's would show its data under another's title."""
    link = build.DashboardLink("Text to image").type(model.DashboardLinkType.DASHBOARDS).tags([TAG]).as_dropdown(True)
    return link.keep_time(True)


def _runbooks() -> build.DashboardLink:
    """Lead to this project's own; the operator writes the user's over it, as it does in alerts."""
    return build.DashboardLink(RUNBOOKS_TITLE).type(model.DashboardLinkType.LINK).url(RUNBOOKS).target_blank(True)


def explore(title: str, kind: str, chosen: str, query: Mapping[str, str]) -> build.DashboardLink:
    """Lead there by the way that every Grafana has: its own page of queries, on the data source chosen."""
    asked = {"refId": "A", **query, "datasource": {"type": kind, "uid": chosen}}
    pane = {"datasource": chosen, "queries": [asked], "range": {"from": "now-6h", "to": "now"}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="${}")
    url = f"/explore?schemaVersion=1&panes={panes}"
    return build.DashboardLink(title).type(model.DashboardLinkType.LINK).url(url).target_blank(True)


class _Titled(model.AnnotationQuery):
    """Say which alert it was: Grafana reads these two, which the SDK does not know, and has no title without them."""

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads."""
        return {**super().to_json(), "titleFormat": "{{alertname}}", "tagKeys": "severity"}


class _Alerts(Builder[model.AnnotationQuery]):
    """The alerts that fired of what `whose` selects."""

    def __init__(self, whose: str) -> None:
        self._firing = f'ALERTS{{{whose},alertstate="firing"}}'

    def build(self) -> model.AnnotationQuery:
        """Return the query."""
        expr = f"max by (alertname, severity) ({self._firing})"
        return _Titled(name="Alerts", datasource=DATASOURCE, icon_color="red", expr=expr)
