"""Two services under different traffic, some of which fails: all that is asked of Prometheus says what was sent."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.e2e import boards, scene
from tests.e2e.counted import (
    CONSTANT,
    CONSTANT_RULES,
    COUNTED,
    CROWDED,
    OF_THE_MONTH,
    RECORDED,
    REMEMBERED,
    RULES,
    TURNED_AWAY,
    UNCOMPARED,
    UNCOUNTED,
    ZERO,
)
from tests.e2e.expected import WINDOW, Expected, Seen, Values, signals, turned_away
from tests.e2e.provider import customer, provider
from tests.e2e.scene import Phases, Service, selector
from tests.e2e.subject import Subject, until
from tests.e2e.traffic import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.prometheus import Prometheus, Result

pytestmark = pytest.mark.timeout(1200)

# What tells apart rules of one name.
WORDS = ("slo", "signal", "window", "count", "reference", "burn_rate", "direction")


class Crowded(NamedTuple):
    """Until when there was a crowd, in Unix seconds, and all that was sent by then."""

    at: float
    ever: dict[str, Books]


@pytest.fixture(scope="module")
def pair(stack: None, kubectl: Callable[..., str]) -> Iterator[dict[str, Service]]:
    """Serve twice, each in a namespace of its own and with a provider of its own."""
    with contextlib.ExitStack() as ending:
        made = {}
        for name in ("a", "b"):
            subject = Subject(kubectl, f"counted-{name}-{uuid.uuid4().hex[:6]}", "pictures")
            made[name] = Service(name, subject, ending.enter_context(provider()))
            scene.PASTS[name].lay(subject)
            kubectl("create", "namespace", subject.namespace)
            ending.callback(kubectl, "delete", "namespace", subject.namespace, "--wait=false")
            ending.callback(subject.delete)
            if keys := [f"--from-literal={who}={key}" for who, key in scene.KEYS[name].items()]:
                kubectl("create", "secret", "generic", scene.KEYS_SECRET, "-n", subject.namespace, *keys)
            subject.apply(scene.spec_of(name) | customer(kubectl, subject.namespace, made[name].fake))
        for service in made.values():
            service.subject.ready()
            service.subject.wait("Monitored", "True", seconds=120)
        yield made


@pytest.fixture(scope="module")
def crowded(pair: dict[str, Service], prometheus: Prometheus) -> Crowded:
    """Let a crowd come and go, once the rules know what was before: the phases follow all that is sent closely."""
    for service in pair.values():
        known = f"t2i:signal:lower{selector(service.subject)}"
        until(lambda known=known: prometheus.query(known), "what is usual", seconds=300)
    before = scene.warmed_up([*pair.values()], prometheus)
    at, sent = scene.crowded([*pair.values()])
    return Crowded(at, {name: Books((*before[name], *sent[name])) for name in pair})


@pytest.fixture(scope="module")
def phases(pair: dict[str, Service], crowded: Crowded) -> Phases:
    """Drive both services through both phases."""
    time.sleep(scene.SPANS_ARRIVE)
    return scene.driven([*pair.values()], crowded.ever)


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("topic", boards.TOPICS)
def test_a_dashboard_says_what_was_sent(
    pair: dict[str, Service], phases: Phases, prometheus: Prometheus, topic: str, name: str
) -> None:
    queries = boards.queries(pair[name].subject, topic, window=f"{WINDOW}s", shown=f"{WINDOW}s")
    known = COUNTED.keys() | CROWDED.keys() | UNCOUNTED.keys()
    asked = {query[:3] for query in queries}
    assert asked == {key for key in known if key[0] == topic}, "each is compared, or it is said why not"
    wrong, zero, still, unsaid = [], set(), set(), set()
    for key, expr in ((query[:3], query.expr) for query in queries if query[:3] in COUNTED):
        expected, found = COUNTED[key], []
        for at, seen in (phase[name] for phase in phases):
            found.append(_values(prometheus.query(expr, at=at), expected))
            if not expected.holds(found[-1], seen) and not _stands(pair[name], prometheus, key, at):
                wrong.append(f"{key}: {found[-1]}, sent {expected.values(seen)}")
        unsaid |= set() if all(found) else {key}
        zero |= set() if any(value for values in found for value in values.values()) else {key}
        still |= {key} if expected.agrees(*found) and not _stands(pair[name], prometheus, key, at) else set()
    assert not wrong, "\n".join(wrong)
    assert zero <= ZERO, "what is zero whatever is sent proves nothing"
    assert not unsaid & ZERO, "no number is no zero"
    assert still <= CONSTANT, "it changes when the traffic does"


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_dashboard_says_how_many_are_served_and_wait(
    pair: dict[str, Service], crowded: Crowded, prometheus: Prometheus, name: str
) -> None:
    """Look for the most in some seconds: in any one moment some callers are between two requests."""
    service, seconds = pair[name], scene.CROWD_SEEN
    wrong = []
    for query in boards.queries(service.subject, "overview", window=f"{seconds}s"):
        if says := CROWDED.get(query[:3]):
            (found,) = prometheus.query(f"max_over_time(({query.expr})[{seconds}s:1s])", at=crowded.at)
            value, (least, most) = float(found["value"][1]), says(service.callers, scene.SLOTS[name])
            wrong += [] if least <= value <= most else [f"{query[:3]}: {value}, not from {least} to {most}"]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_dashboard_says_how_many_are_turned_away(
    pair: dict[str, Service], crowded: Crowded, phases: Phases, prometheus: Prometheus, name: str
) -> None:
    """Look back when the crowd has long gone: a window that just holds it would be off by a scrape."""
    asked = boards.queries(pair[name].subject, "overview", window=f"{WINDOW}s")
    (expr,) = [query.expr for query in asked if query[:3] == TURNED_AWAY]
    expected, seen = Expected(("reason",), turned_away), Seen(Books(), crowded.ever[name], {})
    values = _values(prometheus.query(expr, at=phases[0][name].at - WINDOW), expected)
    assert values["queue_full",] > 0
    assert expected.holds(values, seen), f"{values}, sent {turned_away(seen)}"


@pytest.mark.parametrize("name", ["a", "b"])
def test_every_rule_says_what_was_sent(
    pair: dict[str, Service], phases: Phases, prometheus: Prometheus, name: str
) -> None:
    rules = _rules(pair[name].subject)
    known = RULES.keys() | RECORDED.keys() | REMEMBERED.keys() | UNCOMPARED.keys()
    assert rules.keys() == known, "each is compared, or it is said why not"
    wrong, still = [], set()
    for key, expected in RULES.items():
        found = []
        for at, seen in (phase[name] for phase in phases):
            found.append(_values(prometheus.query(rules[key], at=at), expected))
            if not expected.holds(found[-1], seen) and not _stands(pair[name], prometheus, key, at):
                wrong.append(f"{key}: {found[-1]}, sent {expected.values(seen)}")
        still |= {key} if expected.agrees(*found) and not _stands(pair[name], prometheus, key, at) else set()
    assert not wrong, "\n".join(wrong)
    assert still <= CONSTANT_RULES, "it changes when the traffic does"


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_recorded_says_what_was_sent(
    pair: dict[str, Service], phases: Phases, prometheus: Prometheus, name: str
) -> None:
    """Wait for what is recorded every two minutes, and for what reads that."""
    subject, seen = pair[name].subject, phases[-1][name].seen
    signal = Expected(("signal",), signals)

    def recorded() -> bool:
        values = _values(prometheus.query(f"t2i:signal{selector(subject)}"), signal)
        assert signal.holds(values, seen), f"{values}, sent {signals(seen)}"
        return True

    until(recorded, "the signals", seconds=180)
    history = prometheus.query(f"t2i:signal{selector(subject)}[30m]")
    recordings = {each["metric"]["signal"]: [float(value) for _, value in each["values"]] for each in history}
    still = {word: values for word, values in recordings.items() if max(values) <= 1.02 * min(values)}
    assert not still, "it stays while the traffic changes"
    rules = _rules(subject)
    for key, expected in RECORDED.items():
        values = _values(prometheus.query(rules[key]), expected)
        assert expected.holds(values, seen), f"{key}: {values}, sent {expected.values(seen)}"


@pytest.mark.parametrize("name", ["a", "b"])
def test_what_is_usual_is_what_was_before(
    pair: dict[str, Service], phases: Phases, prometheus: Prometheus, name: str
) -> None:
    """One is far busier and worse than it was, and each of its signals an anomaly; of the other none is."""
    rules, seen = _rules(pair[name].subject), phases[-1][name].seen

    def said() -> bool:
        found = {key: _values(prometheus.query(rules[key]), each) for key, each in REMEMBERED.items()}
        wrong = [
            f"{key}: {found[key]}, expected {each.values(seen)}"
            for key, each in REMEMBERED.items()
            if not each.holds(found[key], seen)
        ]
        assert not wrong, "\n".join(wrong)
        assert [bool(found[key]) for key in found if key[0] == "TextToImageAnomaly"] == [name == "a"] * 4
        return True

    until(said, "what goes by the weeks before", seconds=180)


def _rules(subject: Subject) -> dict[tuple[str, str], str]:
    """Return each rule's expression by its name and what tells it apart."""
    body = subject.get("prometheusrule", f"{subject.name}-alerts")
    rules: dict[tuple[str, str], str] = {}
    for rule in (rule for group in body["spec"]["groups"] for rule in group["rules"]):
        labels = rule.get("labels", {})
        key = (rule.get("record") or rule["alert"], " ".join(labels[word] for word in WORDS if word in labels))
        assert key not in rules, f"{key} is there twice"
        rules[key] = rule["expr"]
    return rules


def _stands(service: Service, prometheus: Prometheus, key: tuple[str, ...], at: float) -> bool:
    """Tell whether an hour's sum stands for the month by now: one run in some fourteen is so long or so timed."""
    month = f"t2i:slo_burn:rate{selector(service.subject, window='30d')}"
    return key in OF_THE_MONTH and bool(prometheus.query(month, at=at))


def _values(result: list[Result], expected: Expected) -> Values:
    """Add up what the labels do not tell apart."""
    values: dict[tuple[str, ...], float] = {}
    for series in result:
        key: Any = tuple(series["metric"].get(label, "") for label in expected.labels)
        values[key] = values.get(key, 0.0) + float(series["value"][1])
    return values
