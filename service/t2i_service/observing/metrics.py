"""The metrics of one process, built from the registry of names; children are made once and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    disable_created_metrics,
)
from prometheus_client.process_collector import ProcessCollector

from t2i_service.observing import telemetry as names
from t2i_service.observing.telemetry import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from t2i_service.observing.telemetry import Metric

STATUSES = tuple(map(str, Outcome))


class Metrics:
    """One registry a process and no global: a test or a benchmark may have several."""

    def __init__(self, version: str, commit: str) -> None:
        # When each counter began would be a series of its own beside it, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.http_requests = self._counter(names.HTTP_REQUESTS)
        self.http_duration = self._histogram(names.HTTP_DURATION)
        self.active_requests = self._gauge(names.ACTIVE_REQUESTS)
        self.generations = self._counter(names.GENERATIONS)
        self.generation_duration = self._histogram(names.GENERATION_DURATION)
        self.model_generations = self._counter(names.MODEL_GENERATIONS)
        self.model_duration = self._histogram(names.MODEL_DURATION)
        self.model_cost = self._counter(names.MODEL_COST)
        self.model_tokens = self._counter(names.MODEL_TOKENS)
        self.retries = self._counter(names.MODEL_RETRIES)
        self.upstream_errors = self._counter(names.UPSTREAM_ERRORS)
        self.poll_gap = self._histogram(names.POLL_GAP)
        self.breaker_state = self._gauge(names.BREAKER_STATE)
        self.in_flight = self._gauge(names.IN_FLIGHT)
        self.queued = self._gauge(names.QUEUED)
        self.queue_wait = self._histogram(names.QUEUE_WAIT)
        self.rejected = self._counter(names.REJECTED)
        self.spans_exported = self._counter(names.SPANS_EXPORTED)
        self.spans_dropped = self._counter(names.SPANS_DROPPED)
        self.abandoned = self._counter(names.ABANDONED)
        self.key_requests = self._counter(names.KEY_REQUESTS)
        self.feedback = self._counter(names.FEEDBACK)
        self._gauge(names.BUILD_INFO).labels(version, commit).set(1)
        self._http_children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        for status in STATUSES:
            self.generations.labels(status)
        # What first appears with its first failure shows no increase: what alerts count is there from the start.
        for endpoint in names.GENERATION_ENDPOINTS:
            for answer in (200, 202, 500, 502, 503, 504):
                self.http_children("POST", endpoint, answer)

    def init_model_series(self, model: str, provider: str, currency: str | None) -> None:
        """Start at zero what is counted of a model, for the same reason; `currency` is None where it has no price."""
        for status in STATUSES:
            self.model_generations.labels(model, provider, status)
        for rating in ("up", "down"):
            self.feedback.labels(model, rating)
        self.model_duration.labels(model)
        if currency:
            self.model_cost.labels(model, currency)

    def init_upstream_series(self, model: str, fails: Iterable[str], asked_again: Iterable[str]) -> None:
        """Do the same with the reasons for which a provider fails, and those for which it is asked again."""
        for reason in fails:
            self.upstream_errors.labels(model, reason)
        for reason in asked_again:
            self.retries.labels(model, reason)

    def http_children(self, method: str, endpoint: str, status: int) -> tuple[Counter, Histogram]:
        """Return the counter and the histogram of one kind of answer; the caller bounds the three values."""
        key = (method, endpoint, status)
        found = self._http_children.get(key)
        if found is None:
            found = (
                self.http_requests.labels(method, endpoint, str(status)),
                self.http_duration.labels(method, endpoint),
            )
            self._http_children[key] = found
        return found

    def _counter(self, metric: Metric) -> Counter:
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.help, metric.labels, registry=self.registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(
            metric.name, metric.help, metric.labels, buckets=names.DURATION_BUCKETS, registry=self.registry
        )
