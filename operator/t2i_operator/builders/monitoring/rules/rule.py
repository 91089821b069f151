"""The shape of a rule before labels and links are added, which happens in one place for all of them."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from t2i_operator.kinds import Object

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


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Rules evaluated together; without an interval, as often as Prometheus evaluates by default."""

    name: str
    rules: tuple[Recording | Alert, ...]
    interval: str | None = None
