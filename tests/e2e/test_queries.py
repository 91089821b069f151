"""Two services under different traffic, some of which fails: all that is asked of Prometheus says what was sent."""

from __future__ import annotations

import functools
import math
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from t2i_service.telemetry import DURATION_BUCKETS

from tests.e2e import boards
from tests.e2e.subject import Subject, until
from tests.e2e.traffic import Answer, Books, drive, side_by_side

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.e2e.prometheus import Prometheus

pytestmark = pytest.mark.timeout(1200)

# The window that everything is asked over. Traffic flows in its middle: its counters are scraped before and after.
WINDOW = 90
QUIET_BEFORE, TRAFFIC = 8, 45
# The pods send spans every 5 s, Jaeger counts them every 15 s, and a machine may be busy.
SPANS_ARRIVE = 40
PRICES = {"steady": 0.01, "shaky": 0.03}
MODELS = [
    {"name": "steady", "provider": "Sandbox", "sandbox": {"latency": "300ms"}},
    {"name": "shaky", "provider": "Sandbox", "sandbox": {"latency": "700ms", "failureRate": "0.5"}},
]
# Requests a second to each model, of each service, in each of two phases.
PHASES = (
    {"a": {"steady": 4.0, "shaky": 1.0}, "b": {"steady": 1.0, "shaky": 2.0}},
    {"a": {"steady": 1.0, "shaky": 2.0}, "b": {"steady": 3.0, "shaky": 0.8}},
)


class Seen(NamedTuple):
    """What a query can know of: the traffic of the window, and all since the service's first scrape."""

    recent: Books
    ever: Books


# For each phase and service: the moment to ask for, and what was sent by then.
Phases = list[dict[str, tuple[float, Seen]]]


class Expected(NamedTuple):
    """The values that a query must give, by those of its labels that tell its series apart.

    Not `whole`: there may be other series too.
    """

    labels: tuple[str, ...]
    values: Callable[[Seen], Mapping[tuple[str, ...], float]]
    whole: bool = True
    within: float = 0.05

    def agrees(self, found: Mapping[tuple[str, ...], float], sent: Mapping[tuple[str, ...], float]) -> bool:
        """Compare to within 5 % or what is said; a series of zeros and none at all are the same."""
        others = [value for key, value in found.items() if key not in sent and value and not math.isnan(value)]
        return not (self.whole and others) and all(
            math.isclose(found.get(key, 0.0), value, rel_tol=self.within, abs_tol=1e-9) for key, value in sent.items()
        )


def one(value: Callable[[Books], float], *, ever: bool = False) -> Expected:
    """Expect a single series."""
    return Expected((), lambda seen: {(): value(seen.ever if ever else seen.recent)})


def each(
    label: str, of: Callable[[Answer], str | None], value: Callable[[Books], float], *, ever: bool = False
) -> Expected:
    """Expect a series for each group of answers."""

    def values(seen: Seen) -> dict[tuple[str, ...], float]:
        return {(word,): value(group) for word, group in (seen.ever if ever else seen.recent).by(of).items()}

    return Expected((label,), values)


def a_second(books: Books) -> float:
    return len(books) / WINDOW


def failures(books: Books) -> float:
    return 1 - books.success


def cost(books: Books) -> float:
    """Add up the pictures: a failed prediction makes none, and the price is by the image."""
    return sum(PRICES[answer.model] for answer in books if answer.good)


def cost_of_one(books: Books) -> float:
    return cost(books) / len(books)


def percentile(share: float) -> Callable[[Books], float]:
    return lambda books: books.quantile(share, DURATION_BUCKETS)


def model(answer: Answer) -> str:
    return answer.model


def outcomes(seen: Seen) -> dict[tuple[str, ...], float]:
    words = {"200": "success"}
    return {
        (name, words.get(status, "error")): a_second(books)
        for name, group in seen.recent.by(model).items()
        for status, books in group.by(lambda answer: answer.status).items()
    }


def by_endpoint(seen: Seen) -> dict[tuple[str, ...], float]:
    rated = seen.recent.only(lambda answer: answer.rating is not None)
    return {("/generate",): a_second(seen.recent), ("/feedback",): a_second(rated)}


def by_key(seen: Seen) -> dict[tuple[str, ...], float]:
    return {("anonymous",): sum(by_endpoint(seen).values())}


def errors(seen: Seen) -> dict[tuple[str, ...], float]:
    failed = seen.recent.only(lambda answer: not answer.good)
    return {(status,): a_second(books) for status, books in failed.by(lambda answer: answer.status).items()}


def feedback(seen: Seen) -> dict[tuple[str, ...], float]:
    return {
        (name, rating): float(len(books))
        for name, group in seen.ever.by(model).items()
        for rating, books in group.by(lambda answer: answer.rating).items()
    }


def burn_rates(seen: Seen) -> dict[tuple[str, ...], float]:
    """Tell of the hour only: traffic ends half a minute before it is asked for, a rule's pace, and others' lag more."""
    return {("availability", "1h"): failures(seen.ever) / (1 - 0.99), ("latency", "1h"): 0.0}


def spans(of_models: Callable[[Books], float], of_all: Callable[[Books], float] | None) -> Expected:
    """Expect the spans of the whole request and of its model; steps in between come on top."""

    def values(seen: Seen) -> dict[tuple[str, ...], float]:
        steps: dict[tuple[str, ...], float] = {("generate_image",): of_all(seen.recent)} if of_all else {}
        return steps | {(f"sandbox_{name}",): of_models(group) for name, group in seen.recent.by(model).items()}

    return Expected(("span_name",), values, whole=False)


def failed_a_second(books: Books) -> float:
    return a_second(books.only(lambda answer: not answer.good))


COUNTED: dict[tuple[str, str, str], Expected] = {
    ("overview", "Availability", "Availability"): one(lambda books: books.success),
    ("overview", "Uptime", "Uptime"): one(lambda _: 1.0),
    ("overview", "Request rate", "Request rate"): one(a_second),
    ("overview", "Response time", "Response time"): one(percentile(0.95)),
    ("overview", "Generation success", "Generation success"): one(lambda books: books.success),
    ("overview", "Active requests", "Active requests"): one(lambda _: 0),
    ("overview", "Request rate", "{{endpoint}}"): Expected(("endpoint",), by_endpoint),
    ("overview", "Response time", "median"): one(percentile(0.5)),
    ("overview", "Response time", "95th percentile"): one(percentile(0.95)),
    # Three callers of two hundred that wait for a processor themselves decide the bucket.
    ("overview", "Response time", "99th percentile"): Expected(
        (), lambda seen: {(): percentile(0.99)(seen.recent)}, within=0.5
    ),
    ("overview", "Success rate", "success"): one(lambda books: books.success),
    ("overview", "Success rate", "error"): one(failures),
    ("overview", "Errors by status", "{{status}} {{endpoint}}"): Expected(("status",), errors),
    ("overview", "Errors by their cause", "{{model}}: {{reason}}"): Expected(("model", "reason"), lambda _: {}),
    ("overview", "Generations at the same time", "running"): one(lambda _: 0),
    ("overview", "Generations at the same time", "waiting"): one(lambda _: 0),
    ("models", "Model against model", "Invocations"): each("model", model, len),
    ("models", "Model against model", "Success"): each("model", model, lambda books: books.success),
    ("models", "Model against model", "Median"): each("model", model, percentile(0.5)),
    ("models", "Model against model", "95th percentile"): each("model", model, percentile(0.95)),
    ("models", "Model against model", "Cost a request"): each("model", model, cost_of_one),
    ("models", "Invocations", "{{model}}"): each("model", model, a_second),
    ("models", "Latency", "{{model}} median"): each("model", model, percentile(0.5)),
    ("models", "Latency", "{{model}} 95th percentile"): each("model", model, percentile(0.95)),
    ("models", "Success", "{{model}}"): each("model", model, lambda books: books.success),
    ("models", "Outcomes", "{{model}} {{status}}"): Expected(("model", "status"), outcomes),
    ("models", "Cost a request", "{{model}} in {{currency}}"): each("model", model, cost_of_one),
    ("models", "Tokens", "{{model}} {{type}}"): Expected(("model", "type"), lambda _: {}),
    ("models", "Feedback", "{{model}} {{rating}}"): Expected(("model", "rating"), feedback),
    ("models", "Requests to providers that failed", "{{model}}: {{reason}}"): Expected(("model",), lambda _: {}),
    ("models", "Retries", "{{model}}: {{reason}}"): Expected(("model",), lambda _: {}),
    ("models", "Circuit breakers", "{{model}}"): each("model", model, lambda _: 0),
    ("business", "Pictures today", "Pictures today"): one(lambda books: len(books.good), ever=True),
    ("business", "Pictures this week", "Pictures this week"): one(lambda books: len(books.good), ever=True),
    ("business", "Requests, this week and last", "this week"): one(lambda books: len(books) / 3600, ever=True),
    ("business", "Pictures a day", "{{model}}"): each("model", model, lambda books: len(books.good), ever=True),
    ("business", "Requests by key", "{{key}}"): Expected(("key",), by_key),
    ("business", "Active callers", "Active callers"): one(lambda _: 1),
    ("business", "Models in demand", "Generations"): each("model", model, len),
    ("business", "Cost a day", "{{model}} in {{currency}}"): each("model", model, cost, ever=True),
    ("business", "Cost a week", "{{currency}}"): each("currency", lambda _: "USD", cost, ever=True),
    ("traces", "Steps", "Spans a second"): spans(a_second, a_second),
    ("traces", "Steps", "95th percentile"): spans(percentile(0.95), percentile(0.95)),
    ("traces", "Spans", "{{service_name}} {{span_name}}"): spans(a_second, a_second),
    ("traces", "Slow steps", "{{service_name}} {{span_name}}"): spans(percentile(0.95), percentile(0.95)),
    ("traces", "Failed steps", "{{service_name}} {{span_name}}"): spans(failed_a_second, failed_a_second),
    ("traces", "Calls to others", "{{service_name}} to {{span_name}}"): spans(a_second, None),
    ("traces", "Spans lost", "{{exporter}}: {{reason}}"): Expected(("exporter",), lambda _: {}),
}
# What no count of requests can tell, and why.
UNCOUNTED = {
    "CPU": "the pod's",
    "Memory": "the pod's",
    "Waiting and turned away": "nothing waits here",
    "Error budget left": "recorded; of hours, of which there is none yet",
    "Burn rate": "recorded; the rule itself is compared below",
    "Requests and what is usual": "recorded; the rule itself is compared below",
    "Against last week": "there is no last week",
    "Polling gap": "nothing is polled in the sandbox",
    "Spans taken in": "batches, which the program sends as it likes",
}
# What stays as it is while the traffic changes.
CONSTANT = {"Uptime", "Active callers"}
# Shares and percentiles of one model: the mix of models changes, not what each is like.
OF_ONE_MODEL = {"Model against model", "Latency", "Success", "Cost a request", "Slow steps"}
# What rules say of the service's own series; of those that read other rules only the burn rate is compared.
RULES: dict[tuple[str, str], Expected] = {
    ("HighErrorRate", ""): one(failures),
    ("HighLatency", ""): one(percentile(0.95)),
    ("ImageGenerationFailure", ""): one(failures),
    ("TextToImageDown", ""): Expected((), lambda _: {}),
    ("TextToImageAbsent", ""): Expected((), lambda _: {}),
    ("TextToImageBreakerOpen", ""): Expected((), lambda _: {}),
    ("t2i:slo_burn:rate", ""): Expected(("slo", "window"), burn_rates, whole=False),
    ("t2i:signal", "requests"): one(len, ever=True),
}


@pytest.fixture(scope="module")
def pair(stack: None, kubectl: Callable[..., str]) -> Iterator[dict[str, Subject]]:
    """Serve twice, each in a namespace of its own."""
    made = {name: Subject(kubectl, f"counted-{name}-{uuid.uuid4().hex[:6]}", "pictures") for name in ("a", "b")}
    models = [each | {"price": {"perImage": str(PRICES[str(each["name"])])}} for each in MODELS]
    alerts = {"thresholds": {"window": f"{WINDOW}s", "latencyP95": "500ms", "errorRate": "0.01"}}
    monitoring = {"metrics": {"interval": "2s"}, "alerts": alerts}
    for subject in made.values():
        kubectl("create", "namespace", subject.namespace)
        subject.apply({"models": models, "monitoring": monitoring})
    for subject in made.values():
        subject.ready()
        subject.wait("Monitored", "True", seconds=120)
    yield made
    for subject in made.values():
        subject.delete()
        kubectl("delete", "namespace", subject.namespace, "--wait=false")


@pytest.fixture(scope="module")
def phases(pair: dict[str, Subject], prometheus: Prometheus) -> Phases:
    """Drive both services through both phases."""
    for subject in pair.values():
        scraped = f'http_requests_total{{namespace="{subject.namespace}"}}'
        until(lambda scraped=scraped: prometheus.query(scraped), "the first scrape", seconds=180)
    urls = {name: subject.url() for name, subject in pair.items()}
    ever = {name: _warmed_up(url) for name, url in urls.items()}
    time.sleep(SPANS_ARRIVE)
    ended = []
    for rates in PHASES:
        asked_at = time.time() + WINDOW
        time.sleep(QUIET_BEFORE)
        recent = dict(
            zip(
                urls,
                side_by_side(functools.partial(drive, url, rates[name], TRAFFIC) for name, url in urls.items()),
                strict=True,
            )
        )
        time.sleep(max(0.0, asked_at - time.time()))
        ever = {name: Books((*ever[name], *recent[name])) for name in urls}
        ended.append({name: (asked_at, Seen(recent[name], ever[name])) for name in urls})
    return ended


def _warmed_up(url: str) -> Books:
    """Let every series begin: what a counter has when it is first seen is in no increase."""
    sent = Books()
    while len({(answer.model, answer.status) for answer in sent}) < 3:
        sent = Books((*sent, *drive(url, {"steady": 2.0, "shaky": 2.0}, 2.0)))
    return sent


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("topic", boards.TOPICS)
def test_a_dashboard_says_what_was_sent(
    pair: dict[str, Subject], phases: Phases, prometheus: Prometheus, topic: str, name: str
) -> None:
    queries = boards.queries(pair[name], topic, window=f"{WINDOW}s", shown=f"{WINDOW}s")
    known = {(topic, title) for topic, title, _ in COUNTED} | {(topic, title) for title in UNCOUNTED}
    assert not [query for query in queries if query[:2] not in known], "each is compared, or it is said why not"
    wrong, changed = [], set()
    for query in queries:
        moments = [phase[name] for phase in phases]
        results = [prometheus.query(query.expr, at=at) for at, _ in moments]
        if expected := COUNTED.get(query[:3]):
            pairs = [
                (_values(result, expected), expected.values(seen))
                for result, (_, seen) in zip(results, moments, strict=True)
            ]
            wrong += [f"{query[:3]}: {found}, sent {sent}" for found, sent in pairs if not expected.agrees(found, sent)]
            (first, _), (second, _) = pairs
            changed |= set() if any(first.values()) and expected.agrees(first, second) else {query.title}
    assert not wrong, "\n".join(wrong)
    still = {title for of, title, _ in COUNTED if of == topic} - changed
    assert not still - CONSTANT - OF_ONE_MODEL, "it changes when the traffic does"


@pytest.mark.parametrize("name", ["a", "b"])
def test_every_rule_says_what_was_sent(
    pair: dict[str, Subject], phases: Phases, prometheus: Prometheus, name: str
) -> None:
    body = pair[name].get("prometheusrule", "pictures-alerts")
    rules = [rule for group in body["spec"]["groups"] for rule in group["rules"]]
    wrong, compared = [], set()
    for at, seen in [phase[name] for phase in phases]:
        for rule in rules:
            found = prometheus.query(rule["expr"], at=at)
            labels = rule.get("labels", {})
            words = [labels[label] for label in ("slo", "signal", "window") if label in labels and "record" in rule]
            key = (rule.get("record") or rule["alert"], " ".join(words))
            if expected := RULES.get(key):
                compared.add(key)
                values, sent = _values(found, expected), expected.values(seen)
                wrong += [] if expected.agrees(values, sent) else [f"{key}: {values}, sent {sent}"]
    assert not wrong, "\n".join(wrong)
    assert compared == RULES.keys()


def _values(result: list[dict[str, Any]], expected: Expected) -> dict[tuple[str, ...], float]:
    """Add up what the labels do not tell apart."""
    values: dict[tuple[str, ...], float] = {}
    for series in result:
        key = tuple(series["metric"].get(label, "") for label in expected.labels)
        values[key] = values.get(key, 0.0) + float(series["value"][1])
    return values
