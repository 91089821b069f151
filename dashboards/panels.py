"""Panels as this project draws them: one look, one datasource, always a unit, a legend and a description."""

from __future__ import annotations

from typing import NamedTuple

from grafana_foundation_sdk.builders import common, nodegraph, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as prometheus_model

from dashboards.phrases import RATE

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
# How often the operator is scraped, and a service by default; a service's own interval is written over it.
SCRAPED = "30s"
TRACES = model.DataSourceRef(type_val="jaeger", uid="${traces}")
# Grafana's own units of rates are of requests, operations and the like; `count:` makes any other.
SPANS, GENERATIONS, TOKENS = (f"count:{what}/s" for what in ("spans", "generations", "tokens"))
# Grafana's name for the colour of text.
NEUTRAL = "text"


class Query(NamedTuple):
    """One line of a graph, or one column of a table; a line with a `unit` of its own has its axis on the right.

    `decimals` are a column's: a graph has one number of them for all.
    """

    expr: str
    legend: str
    exemplars: bool = False
    unit: str | None = None
    decimals: int | None = None


class Limit(NamedTuple):
    """Where a value turns bad: above it, or below it; `of` names what the operator replaces it by, for each service."""

    value: float
    below: bool = False
    of: str | None = None


# The defaults of a service's spec: its objective, and where its alerts fire.
AVAILABLE = Limit(0.99, below=True, of="availability")
FAST = Limit(10, of="latency")
SUCCESSFUL = Limit(0.95, below=True, of="generation success")


class Look(NamedTuple):
    """How a panel differs from the others; `no_value` says in words why it may be empty.

    Nothing that is drawn is below `minimum`, unless that is None.
    """

    limit: Limit | None = None
    stacked: bool = False
    span: int | None = None
    decimals: int | None = None
    no_value: str | None = None
    minimum: float | None = 0


PLAIN, STACKED = Look(), Look(stacked=True)


def graph(title: str, description: str, unit: str, *queries: Query, look: Look = PLAIN) -> timeseries.Panel:
    """Draw values over time."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(look.span or 12)
        .height(8)
        .fill_opacity(25 if look.stacked else 8)
        .show_points(common_model.VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(common_model.TooltipDisplayMode.MULTI))
    )
    if look.minimum is not None:
        panel = panel.min(look.minimum)
    if unit == "percentunit":
        panel = panel.max(1)
    if look.decimals is not None:
        panel = panel.decimals(look.decimals)
    if look.stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_model.StackingMode.NORMAL))
    if look.limit:
        line = common.GraphThresholdsStyleConfig().mode(common_model.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(look.limit)).thresholds_style(line)
    if look.no_value:
        panel = panel.no_value(look.no_value)
    for index, query in enumerate(queries):
        target = _target(query)
        if query.unit:
            reference, own = chr(ord("A") + index), {"unit": query.unit, "custom.axisPlacement": "right"}
            target = target.ref_id(reference)
            properties = [model.DynamicConfigValue(id_val=name, value=value) for name, value in own.items()]
            panel = panel.override_by_query(reference, properties)
        panel = panel.with_target(target)
    return panel


def number(title: str, description: str, unit: str, expr: str, look: Look = PLAIN) -> stat.Panel:
    """Show one value of now, asked of now: the last one of a range may be hours old, and the service gone since.

    By as many points as Prometheus gives at most: by the width's, rates of seven days shown would be of an hour.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(look.span or 4)
        .height(4)
        .graph_mode(common_model.BigValueGraphMode.NONE)
        .max_data_points(11_000)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(look.limit))
        .mappings([_neutral_nothing()])
        .with_target(_target(Query(expr, title)).instant())
    )
    if look.decimals is not None:
        panel = panel.decimals(look.decimals)
    return panel.no_value(look.no_value) if look.no_value else panel


def columns(title: str, description: str, by: str, *queries: tuple[Query, str], span: int = 24) -> table.Panel:
    """Compare things, one a row: each query, with its unit, is a column, and the label `by` names the row."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .span(span)
        .height(8)
        .frame_index(0)
        .show_header(True)
        .align(common_model.FieldTextAlignment.AUTO)
        .cell_options(common_model.TableAutoCellOptions())
        .inspect(False)
    )
    renamed = {by: by.replace("_", " ").capitalize()}
    for index, (query, unit) in enumerate(queries):
        reference = chr(ord("A") + index)
        target = _target(query).ref_id(reference).instant().format(prometheus_model.PromQueryFormat.TABLE)
        renamed[f"Value #{reference}" if len(queries) > 1 else "Value"] = query.legend
        shown = {"unit": unit} if query.decimals is None else {"unit": unit, "decimals": query.decimals}
        properties = [model.DynamicConfigValue(id_val=name, value=value) for name, value in shown.items()]
        panel = panel.with_target(target).override_by_name(query.legend, properties)
    organize = {"excludeByName": {"Time": True}, "renameByName": renamed}
    return panel.transformations(
        [
            model.DataTransformerConfig(id_val="merge", options={}),
            model.DataTransformerConfig(id_val="organize", options=organize),
        ]
    )


def dependencies(title: str, description: str) -> nodegraph.Panel:
    """Draw the services that call each other, as Jaeger derives them from its traces; the SDK has no type for that."""
    asked = {"refId": "A", "datasource": TRACES.to_json(), "queryType": "dependencyGraph"}
    panel = nodegraph.Panel().title(title).description(description).datasource(TRACES).span(24).height(12)
    return panel.with_target(_Plain(UnknownDataquery(asked)))


class _Plain(Builder[Dataquery]):
    """A query that needs no building."""

    def __init__(self, query: Dataquery) -> None:
        self._query = query

    def build(self) -> Dataquery:
        """Return it."""
        return self._query


def _target(query: Query) -> prometheus.Dataquery:
    target = prometheus.Dataquery().expr(query.expr).legend_format(query.legend).datasource(DATASOURCE)
    if RATE in query.expr:
        target = target.interval(SCRAPED)
    return target.exemplar(True) if query.exemplars else target


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.TABLE)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["mean", "max", "lastNotNull"])
    )


class _Replaced(model.Threshold):
    """A step that the operator finds by a name, which it takes out again: Grafana knows no such field."""

    def __init__(self, of: str, value: float, color: str) -> None:
        super().__init__(value, color)
        self._of = of

    def to_json(self) -> dict[str, object]:
        """Return what Grafana reads, and the name."""
        return {**super().to_json(), "of": self._of}


def _neutral_nothing() -> model.SpecialValueMap:
    """Give nothing no colour: Grafana gives it that of the lowest values, red where low is bad and green elsewhere."""
    match, result = model.SpecialValueMatch.NULL_AND_NAN, model.ValueMappingResult(color=NEUTRAL)
    return model.SpecialValueMap(model.DashboardSpecialValueMapOptions(match=match, result=result))


def _thresholds(limit: Limit | None) -> build.ThresholdsConfig:
    """Colour by the limit. Without one say that there is none: Grafana's default is red from 80 on."""
    steps = [model.Threshold(value=None, color=NEUTRAL)]
    if limit:
        first, second = ("red", "green") if limit.below else ("green", "red")
        own = _Replaced(limit.of, limit.value, second) if limit.of else model.Threshold(limit.value, second)
        steps = [model.Threshold(value=None, color=first), own]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
