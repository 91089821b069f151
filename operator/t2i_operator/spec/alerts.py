"""What the PrometheusRule and the AlertmanagerConfig are made from."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from t2i_operator.spec.receivers import Receiver
from t2i_operator.spec.scalars import (
    DECIMAL,
    DURATION,
    FRACTION,
    Currency,
    Decimal,
    Duration,
    DurationOrZero,
    Fraction,
    Labels,
    Mode,
    PlainText,
    PlainURL,
    Severity,
)
from t2i_operator.spec.schema import Block, Rule, described, list_map, matches, spelled

# Upper bounds of the service's duration histograms. An alert on latency is exact only at one of them.
DURATION_BUCKETS = (
    "5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2s500ms", "5s", "7s500ms",
    "10s", "15s", "20s", "30s", "45s", "60s", "90s", "120s",
)  # fmt: skip
# Prometheus puts a percentile at the last bound at most, however slow the answers are: none exceeds that.
PERCENTILE_BOUNDS = DURATION_BUCKETS[:-1]
# What alerts have of their own, by their rules or by the series behind them; a test holds this to all that are built.
OWN_LABELS = (
    "alertname", "namespace", "service", "severity", "model", "slo", "burn_rate", "window", "signal", "direction",
    "currency", "__name__",
)  # fmt: skip


def bucket_rule(path: str, name: str, bounds: Sequence[str] = DURATION_BUCKETS) -> Rule:
    """Hold a latency to a bucket's bound; any spelling of the duration will do."""
    durations = ", ".join(f"duration('{bound}')" for bound in bounds)
    return Rule(
        f"!{matches(path, DURATION)} || duration({path}) in [{durations}]",
        f"{name} must be the bound of a histogram bucket: {', '.join(bounds)}",
    )


def share_rule(path: str, name: str) -> Rule:
    """Keep a share that is to be exceeded away from 1, which none exceeds."""
    return Rule(
        f"!{matches(path, FRACTION)} || double({path}) < 1.0",
        f'{name} must be less than 1, as "0.1": no share exceeds 1, so that the alert could never fire',
    )


def objective_rule(path: str, name: str) -> Rule:
    """Keep an objective away from 0 and 1, whose error budgets cannot burn."""
    return Rule(
        f"!{matches(path, FRACTION)} || (double({path}) > 0.0 && double({path}) < 1.0)",
        f'{name} must be more than 0 and less than 1, as "0.99": an objective of 1 leaves no error budget',
    )


def factor_rule() -> Rule:
    """Refuse what neither objective's error rate reaches; as doubles, 10 times 1 - 0.9 falls just short of 1."""
    availability = "(has(self.slo) ? self.slo.availability : '0.99')"
    latency = "(has(self.slo) && has(self.slo.latency) ? self.slo.latency.target : '0.95')"
    unreadable = " || ".join(f"!{matches(target, FRACTION)}" for target in (availability, latency))
    reached = " || ".join(
        f"double(pair.factor) * (1.0 - double({target})) < 0.999999" for target in (availability, latency)
    )
    return Rule(
        f"!has(self.burnRates) || (has(self.slo) && self.slo.mode == 'Disabled') || {unreadable}"
        f" || self.burnRates.all(pair, !{matches('pair.factor', DECIMAL)} || {reached})",
        "a factor of alerts.burnRates is below 1 / (1 - objective) neither for slo.availability (0.99 when left out)"
        " nor for slo.latency.target (0.95), so that its alert could never fire; lower it, raise an objective, or leave"
        " burnRates out",
    )


class Thresholds(Block, frozen=True, kw_only=True):
    """When the guide's alerts fire."""

    rules: ClassVar = (
        bucket_rule("self.latencyP95", "thresholds.latencyP95", PERCENTILE_BOUNDS),
        share_rule("self.errorRate", "thresholds.errorRate"),
        share_rule("self.generationFailureRate", "thresholds.generationFailureRate"),
    )

    error_rate: Annotated[Fraction, described("Share of answers that are 5xx, above which HighErrorRate fires.")] = (
        "0.1"
    )
    latency_p95: Annotated[
        Duration, described("95th percentile of the answers' duration, above which HighLatency fires; 90s at most.")
    ] = "10s"
    generation_failure_rate: Annotated[
        Fraction, described("Share of generations that fail, above which ImageGenerationFailure fires.")
    ] = "0.05"
    window: Annotated[Duration, described("How far back ratios and percentiles look: four scrapes at least.")] = "5m"
    for_: Annotated[DurationOrZero, described("How long a threshold must be exceeded before the alert fires.")] = "2m"
    down_for: Annotated[
        DurationOrZero, described("How long the service must be down or absent before the alert fires.")
    ] = "2m"


class LatencyObjective(Block, frozen=True, kw_only=True):
    """Which share of the generations must be faster than what."""

    rules: ClassVar = (
        bucket_rule("self.threshold", "slo.latency.threshold"),
        objective_rule("self.target", "slo.latency.target"),
    )

    threshold: Annotated[Duration, described("A generation that takes longer counts against the objective.")] = "30s"
    target: Annotated[Fraction, described('Share of the generations that must be faster, as "0.95".')] = "0.95"


class ServiceLevel(Block, frozen=True, kw_only=True):
    """Service level objectives; burn-rate alerts watch how fast their error budget goes."""

    rules: ClassVar = (objective_rule("self.availability", "slo.availability"),)

    mode: Annotated[Mode, described("Managed: objectives are recorded and alerted on. Disabled: they are not.")] = (
        "Managed"
    )
    availability: Annotated[Fraction, described('Share of the requests that must not fail, as "0.99".')] = "0.99"
    latency: Annotated[LatencyObjective, described("How fast generations must be.")] = LatencyObjective()
    window_days: Annotated[int, Meta(ge=1, le=90), described("Days over which the objectives hold.")] = 30


class BurnRate(Block, frozen=True, kw_only=True):
    """One pair of windows: the alert fires when both burn the error budget faster than the factor."""

    rules: ClassVar = (
        Rule(
            f"!{matches('self.shortWindow', DURATION)} || !{matches('self.longWindow', DURATION)}"
            " || duration(self.shortWindow) < duration(self.longWindow)",
            "burnRates: shortWindow must be shorter than longWindow, as 5m and 1h",
        ),
    )

    name: Annotated[
        str,
        spelled(
            "^[a-z]([-a-z0-9]*[a-z0-9])?$", "begin with a letter; use lower-case letters, digits and -", longest=30
        ),
        described("Name of the pair, unique in the list; it becomes a label of the alert."),
    ]
    severity: Annotated[Severity, described("Severity of the alert.")]
    factor: Annotated[
        Decimal,
        described(
            'How many times faster than allowed the budget burns, as "14.4". When everything fails a budget burns'
            " 1 / (1 - objective) times as fast: an objective of which the factor is no less has no such alert."
        ),
    ]
    long_window: Annotated[Duration, described("The window that shows that the burn matters, as 1h.")]
    short_window: Annotated[
        Duration, described("The window that shows that it still goes on, as 5m: four scrapes at least.")
    ]
    for_: Annotated[
        DurationOrZero | None, described("How long both must burn before the alert fires. Left out: at once.")
    ] = None


class Budget(Block, frozen=True, kw_only=True):
    """What generations may cost; an alert fires when they cost more."""

    amount: Annotated[Decimal, described('The most that a period may cost, as "50.00".')]
    currency: Annotated[Currency, described("ISO 4217 code; models priced in other currencies do not count.")] = "USD"
    period: Annotated[Literal["Day", "Week", "Month"], described("The last 24 hours, 7 days or 30 days.")] = "Day"


class Anomalies(Block, frozen=True, kw_only=True):
    """Alerts on rates, latencies, errors and cost that are far from the service's own history."""

    mode: Annotated[Mode, described("Managed: bands are recorded and alerted on. Disabled: they are not.")] = "Managed"
    deviations: Annotated[Decimal, described("How many standard deviations the band is wide on each side.")] = "3"


class Alerts(Block, frozen=True, kw_only=True):
    """The PrometheusRule `<name>-alerts`."""

    rules: ClassVar = (
        Rule(
            "!has(self.alertLabels) || self.alertLabels.all(label, label.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))",
            "alerts.alertLabels: a label of an alert is named by letters, digits and _, and begins with no digit",
        ),
        Rule(
            f"!has(self.alertLabels) || !self.alertLabels.exists(label, label in {[*OWN_LABELS]})",
            f"alerts.alertLabels may not set {', '.join(OWN_LABELS)}: the alerts set these themselves",
        ),
        factor_rule(),
    )

    mode: Annotated[Mode, described("Managed: a PrometheusRule is kept. Disabled: none.")] = "Managed"
    labels: Annotated[
        Labels,
        described(
            "Labels of the PrometheusRule and the AlertmanagerConfig, by which Prometheus and Alertmanager select them,"
            " as release: kube-prometheus-stack."
        ),
    ] = msgspec.field(default_factory=dict)
    alert_labels: Annotated[
        Mapping[str, PlainText],
        Meta(max_length=32),
        described("Labels added to every alert, for routing, as team: images."),
    ] = msgspec.field(default_factory=dict)
    minimum_requests: Annotated[
        int,
        Meta(ge=1, le=1000000),
        described(
            "Fewest requests in a window for its ratios and percentiles to count. Prometheus extrapolates from the"
            " scrapes in it, and so that never fewer count it may take a ninth more at an interval of 30s, a third more"
            " at 1m15s: six instead of five. An error budget burns by three errors among them at least, or by as many"
            " if that is less."
        ),
    ] = 5
    thresholds: Annotated[Thresholds, described("When the alerts on errors, latency and failures fire.")] = Thresholds()
    slo: Annotated[ServiceLevel, described("Service level objectives of availability and latency.")] = ServiceLevel()
    burn_rates: Annotated[
        tuple[BurnRate, ...],
        Meta(max_length=8),
        list_map("name"),
        described(
            "Pairs of windows that watch the error budget. Empty: the four of the SRE workbook, their factors at most"
            " 0.9 / (1 - objective), or 1 if that is more, so that nine errors in ten alert whatever the objective."
        ),
    ] = ()
    budget: Annotated[Budget | None, described("What generations may cost. Left out: no alert on cost.")] = None
    anomalies: Annotated[Anomalies, described("Alerts on what is far from the service's own history.")] = Anomalies()
    receivers: Annotated[
        tuple[Receiver, ...],
        Meta(max_length=16),
        list_map("name"),
        described(
            "Where alerts are sent. Empty: Alertmanager's own routing decides. Links to dashboards need"
            " dashboards.grafanaURL."
        ),
    ] = ()
    runbook_url: Annotated[
        PlainURL | None, described("Folder of the runbooks that alerts link to. Left out: this project's own.")
    ] = None
