"""The operator's own metrics, by the names that its dashboard and alerts query."""

from collections import Counter as Tally
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from t2i_operator.known.outcome import Outcome
from t2i_operator.naming import Key
from t2i_operator.status.conditions import Condition

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry for each process, made by its factory and never at import."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.reconciles = Counter(
            "t2i_operator_reconciles", "Reconciliations by result.", ["result"], registry=self.registry
        )
        self.seconds = Histogram(
            "t2i_operator_reconcile_duration_seconds",
            "Time of one reconciliation.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.requests = Counter(
            "t2i_operator_api_requests", "Requests to the API server.", ["verb", "code"], registry=self.registry
        )
        self.repairs = Counter(
            "t2i_operator_drift_repaired",
            "Objects put back after others changed them.",
            ["kind"],
            registry=self.registry,
        )
        self._resources = Gauge(
            "t2i_operator_resources",
            "Resources by condition and status.",
            ["condition", "status"],
            registry=self.registry,
        )
        self._conditions: dict[Key, frozenset[tuple[str, str]]] = {}
        # Nearly all resources are in one of a few states, and a state of its own for each takes 1.3 KiB.
        self._alike: dict[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] = {}
        self._counts: Tally[tuple[str, str]] = Tally()

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Publish a number that is read when Prometheus asks."""
        Gauge(f"t2i_operator_{name}", text, registry=self.registry).set_function(value)

    def labelled_gauge(self, name: str, text: str, label: str, values: dict[str, Callable[[], float]]) -> None:
        """Publish one such number for each value of a label."""
        gauge = Gauge(f"t2i_operator_{name}", text, [label], registry=self.registry)
        for value, function in values.items():
            gauge.labels(value).set_function(function)

    def observe_request(self, verb: str, code: str) -> None:
        """Count a request to the API server; code "none": it was not answered."""
        self.requests.labels(verb, code).inc()

    def reported(self, key: Key, conditions: Sequence[Condition]) -> None:
        """Count a resource by its conditions."""
        self._count(key, frozenset((condition.type, condition.status) for condition in conditions))

    def repaired(self, outcome: Outcome) -> None:
        """Count what was repaired."""
        for repaired in outcome.repaired:
            self.repairs.labels(repaired.identity.kind.name).inc()

    def forget(self, key: Key) -> None:
        """Count a resource no more."""
        self._count(key, frozenset())

    def _count(self, key: Key, now: frozenset[tuple[str, str]]) -> None:
        before = self._conditions.get(key, frozenset())
        if now:
            self._conditions[key] = self._alike.setdefault(now, now)
        else:
            self._conditions.pop(key, None)
        self._counts.subtract(before - now)
        self._counts.update(now - before)
        for labels in before ^ now:
            self._resources.labels(*labels).set(self._counts[labels])

    def exposition(self) -> bytes:
        """Return what Prometheus scrapes."""
        return generate_latest(self.registry)
