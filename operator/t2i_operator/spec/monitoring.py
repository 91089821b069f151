"""What is observed and who sees it: metrics, alerts, dashboards, traces, LangTrace."""

from typing import Annotated, ClassVar, Literal

import msgspec

from t2i_operator.spec.alerts import Alerts
from t2i_operator.spec.relabeling import Relabelings
from t2i_operator.spec.scalars import DURATION, URL, Annotations, Duration, Labels, Mode, PageURL, PlainURL, seconds
from t2i_operator.spec.schema import Block, Rule, Spelling, described, matches, spelled_since
from t2i_operator.spec.shared import LabelSelector
from t2i_operator.spec.tracing import Tracing

FOLDER = Spelling("^[^./\\s][^/]*$", "write the folder's name, without / and with no dot before it")

# One Prometheus scrapes for everybody: a hundred milliseconds would cost it three hundred times what the default does.
SHORTEST_INTERVAL = "2s"


class Metrics(Block, frozen=True, kw_only=True):
    """The ServiceMonitor `<name>-monitor`."""

    rules: ClassVar = (
        Rule(
            f"!has(self.scrapeTimeout) || !{matches('self.scrapeTimeout', DURATION)}"
            f" || !{matches('self.interval', DURATION)} || duration(self.scrapeTimeout) <= duration(self.interval)",
            "metrics.scrapeTimeout exceeds metrics.interval; lower it, or scrape less often",
        ),
        Rule(
            f"!{matches('self.interval', DURATION)} || duration(self.interval) >= duration('{SHORTEST_INTERVAL}')",
            f"metrics.interval is shorter than {SHORTEST_INTERVAL}: the Prometheus scrapes for others, too; scrape less"
            " often",
        ),
    )

    mode: Annotated[
        Mode, described("Managed: a ServiceMonitor is kept. Disabled: none; /metrics is served all the same.")
    ] = "Managed"
    interval: Annotated[
        Duration,
        described(
            f"How often Prometheus scrapes; from {SHORTEST_INTERVAL} to 1m15s, for alerts need four scrapes in 5m."
        ),
    ] = "30s"
    scrape_timeout: Annotated[Duration | None, described("How long a scrape may take. Left out: Prometheus' own.")] = (
        None
    )
    labels: Annotated[
        Labels,
        described("Labels of the ServiceMonitor, by which a Prometheus selects it, as release: kube-prometheus-stack."),
    ] = msgspec.field(default_factory=dict)
    relabelings: Annotated[Relabelings, described("Steps on the target's labels, after the operator's own.")] = ()
    metric_relabelings: Annotated[Relabelings, described("Steps on every sample's labels.")] = ()

    @property
    def scrape_interval(self) -> str:
        """What Prometheus is told: a shorter one may be stored from before the CRD had a rule on that."""
        return max(self.interval, SHORTEST_INTERVAL, key=seconds)


class Dashboards(Block, frozen=True, kw_only=True):
    """The Grafana dashboards."""

    rules: ClassVar = (
        Rule(
            "self.format != 'GrafanaDashboard' || has(self.instanceSelector)",
            "dashboards.format GrafanaDashboard needs instanceSelector: the labels of the Grafana,"
            " as matchLabels: {dashboards: grafana}",
        ),
    )

    mode: Annotated[Mode, described("Managed: dashboards are kept. Disabled: none.")] = "Managed"
    format: Annotated[
        Literal["ConfigMap", "GrafanaDashboard"],
        described("ConfigMap: for Grafana's sidecar. GrafanaDashboard: for the Grafana operator."),
    ] = "ConfigMap"
    folder: Annotated[
        Annotated[str, spelled_since(FOLDER, longest=189)] | None,
        described("Grafana folder. Left out: Text to image."),
    ] = None
    labels: Annotated[Labels, described('Labels of the objects. Left out: grafana_dashboard: "1".')] = msgspec.field(
        default_factory=dict
    )
    annotations: Annotated[Annotations, described("Annotations of the objects.")] = msgspec.field(default_factory=dict)
    instance_selector: Annotated[
        LabelSelector | None, described("Which Grafana takes the dashboards; for GrafanaDashboard.")
    ] = None
    trace_url: Annotated[
        PageURL | None,
        described(
            "Where Jaeger's pages are for a person's browser; dashboards link there. Left out: they lead to the"
            " operator's own Jaeger by Grafana's Explore alone."
        ),
    ] = None
    prometheus_url: Annotated[
        URL | None,
        described(
            "Where Prometheus' pages are for a person's browser; dashboards link there. Left out: they lead to it by"
            " Grafana's Explore alone."
        ),
    ] = None
    grafana_url: Annotated[
        PlainURL | None,
        described(
            "Where Grafana's pages are for a person's browser; alerts, and what receivers are sent, link there."
            " Left out: an alert has the dashboard's path alone, which is a link inside Grafana only."
        ),
    ] = None

    @property
    def for_grafana_operator(self) -> bool:
        """Whether they are GrafanaDashboards."""
        return self.format == "GrafanaDashboard"


class LangTrace(Block, frozen=True, kw_only=True):
    """What is sent to LangTrace."""

    mode: Annotated[
        Literal["Auto", "Enabled", "Disabled"],
        described(
            "Auto: send when the credentials hold LANGTRACE_API_KEY. Enabled: demand that key. Disabled: send nothing."
        ),
    ] = "Auto"
    host: Annotated[URL | None, described("LangTrace of your own. Left out: https://app.langtrace.ai.")] = None
    prompts: Annotated[
        Literal["Truncated", "Full"],
        described("Truncated: prompts as logging.promptCharacters says. Full: whole prompts."),
    ] = "Truncated"


# Rules count by `increase` over windows: with fewer than four scrapes in one, a lost scrape leaves too few to count by,
# and the alert ends or never fires. The shortest window that nobody sets is 5m: that of `history` and burn rates.
SCRAPES_A_WINDOW, LONGEST_INTERVAL = 4, "1m15s"
_INTERVAL = "(has(self.metrics) ? self.metrics.interval : '30s')"
_FOUR_SCRAPES = " + ".join([f"duration({_INTERVAL})"] * SCRAPES_A_WINDOW)
_NO_ALERTS = (
    "(has(self.metrics) && self.metrics.mode == 'Disabled') || (has(self.alerts) && self.alerts.mode == 'Disabled')"
    f" || !{matches(_INTERVAL, DURATION)}"
)


class Monitoring(Block, frozen=True, kw_only=True):
    """Everything that makes the service observable; nothing of it lowers Ready."""

    rules: ClassVar = (
        Rule(
            f"{_NO_ALERTS} || duration({_INTERVAL}) <= duration('{LONGEST_INTERVAL}')",
            f"metrics.interval exceeds {LONGEST_INTERVAL}: alerts look back over 5m and need four scrapes in it, or"
            " stay silent; scrape more often, or set alerts.mode: Disabled",
        ),
        Rule(
            f"{_NO_ALERTS} || !has(self.alerts) || !has(self.alerts.thresholds)"
            f" || !{matches('self.alerts.thresholds.window', DURATION)}"
            f" || duration(self.alerts.thresholds.window) >= {_FOUR_SCRAPES}",
            "alerts.thresholds.window is shorter than four times metrics.interval (30s when left out), so that alerts"
            " would stay silent; widen the window, or scrape more often",
        ),
        Rule(
            f"{_NO_ALERTS} || !has(self.alerts) || !has(self.alerts.burnRates)"
            f" || self.alerts.burnRates.all(pair, !{matches('pair.shortWindow', DURATION)}"
            f" || duration(pair.shortWindow) >= {_FOUR_SCRAPES})",
            "a shortWindow of alerts.burnRates is shorter than four times metrics.interval (30s when left out), so that"
            " its alert would stay silent; widen the window, or scrape more often",
        ),
    )

    metrics: Annotated[Metrics, described("How Prometheus scrapes the service.")] = Metrics()
    alerts: Annotated[Alerts, described("When and whom to alert.")] = Alerts()
    dashboards: Annotated[Dashboards, described("The Grafana dashboards.")] = Dashboards()
    tracing: Annotated[Tracing, described("Where OpenTelemetry spans go.")] = Tracing()
    langtrace: Annotated[LangTrace, described("What is sent to LangTrace.")] = LangTrace()
