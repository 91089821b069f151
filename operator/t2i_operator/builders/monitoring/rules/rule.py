"""The shape of a rule before labels and links are added, which happens in one place for all of them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from t2i_operator.kube.kinds import Object

# Fewer tell nothing: of a handful of requests a single failure is a share that would wake somebody, and two are as
# often chance (decision 0050).
FEWEST_ERRORS = 3

Topic = Literal["overview", "models", "business", "traces"]


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded series."""

    record: str
    expr: str
    labels: Mapping[str, str] = {}

    def plain(self) -> Object:
        """Return the rule as Prometheus reads it, without what all rules get."""
        return {"record": self.record, "expr": self.expr, "labels": dict(self.labels)}


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert; `topic` is the dashboard that shows its cause."""

    alert: str
    expr: str
    for_: str | None = None
    severity: Literal["warning", "critical"]
    summary: str
    description: str
    topic: Topic = "overview"
    labels: Mapping[str, str] = {}

    def plain(self) -> Object:
        """Return the rule as Prometheus reads it, without what all rules get."""
        body: Object = {"alert": self.alert, "expr": self.expr}
        if self.for_:
            body["for"] = self.for_
        body["labels"] = {**self.labels, "severity": self.severity}
        body["annotations"] = {"summary": self.summary, "description": self.description}
        return body


class Pace(NamedTuple):
    """How often rules are evaluated; without an interval, as often as Prometheus does by default."""

    name: str
    interval: str | None = None


# One group for each: a group's first rule costs several times what the others do. In this order they read each other.
HISTORY, HOURS, TRENDS, ALERTS = Pace("history", "5m"), Pace("hours", "1h"), Pace("trends", "2m"), Pace("alerts")
PACES = (HISTORY, HOURS, TRENDS, ALERTS)


class Part(NamedTuple):
    """What a topic has evaluated at a pace."""

    pace: Pace
    rules: tuple[Recording | Alert, ...]
