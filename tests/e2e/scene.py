"""Two services under different traffic, some of which fails, and the books of what they were sent."""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.expected import (
    AVAILABLE,
    FAILURES_TO_OPEN,
    FAST,
    FAST_SECONDS,
    PREDICTION,
    PRICES,
    SHAKY_SECONDS,
    TAKES,
    TAKES_THEN,
    WINDOW,
    Seen,
)
from tests.e2e.history import Past
from tests.e2e.provider import ACCEPTED, MODEL, PAID, REASONS, refuse
from tests.e2e.subject import Subject, until
from tests.e2e.traffic import Books, Place, crowd, drive, rush, side_by_side

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.prometheus import Prometheus
    from tests.fakes.replicate import FakeReplicate

# Traffic flows in the middle of the window: its counters are scraped before and after.
QUIET_BEFORE, TRAFFIC = 8, 42
# The pods send spans every 5 s, Jaeger counts them every 15 s, and a machine may be busy.
SPANS_ARRIVE = 40
# What a pod says when it has taken over what the sandbox is to take.
TAKEN_OVER = "Sandbox knobs changed"


class Load(NamedTuple):
    """What a service is sent in a phase: requests a second to each model.

    Every so many creates of the paid one are throttled. In the end its provider may fail until the breaker opens.
    """

    steady: float
    shaky: float
    paid: float
    throttled: int
    trips: bool = False


# Whether one fails is chance: the shares that succeed lie so far apart that chance does not bring them together. The
# worse phase is the first: after a crowd of which half fails, the share of all so far then goes one way only.
PHASES = (
    {"a": Load(0.6, 3.0, 1.0, throttled=5), "b": Load(0.4, 2.4, 1.4, throttled=8)},
    {"a": Load(4.0, 1.0, 0.4, throttled=3, trips=True), "b": Load(4.0, 0.4, 0.3, throttled=2, trips=True)},
)
# Generations that each service runs at a time. Of a crowd of two and a half times as many each waits 1.5 times as long
# as it is served, 1.05 s; on a busy machine longer.
SLOTS, CROWD = {"a": 12, "b": 8}, 2.5
# What they were like before: one far quieter than now, so that now is an anomaly, and one that was as busy and as bad.
PASTS = {
    "a": Past(
        60,
        {"requests": 100, "latency": 0.4, "errors": 0.1, "cost": 3},
        {"requests": 90, "latency": 0.3, "errors": 0.08, "cost": 2},
    ),
    "b": Past(
        40,
        {"requests": 1000, "latency": 2, "errors": 0.5, "cost": 50},
        {"requests": 1200, "latency": 1.5, "errors": 0.4, "cost": 60},
    ),
}
# Nobody else may wait. Once the whole crowd is there, some more come at once and are turned away; before it is looked
# at, whoever took the place of one of the crowd has left.
RUSH, RUSH_AFTER = 10, 3.0
CROWD_STAYS, CROWD_SEEN = 14.0, 8
# Whose API keys one of the two asks for.
KEYS: dict[str, dict[str, str]] = {"a": {}, "b": {"studio": "studio-0123456789", "press": "press-0123456789"}}
KEYS_SECRET = "callers"


class Moment(NamedTuple):
    """When to ask, in Unix seconds, and what was sent by then."""

    at: float
    seen: Seen


Phases = list[dict[str, Moment]]


class Service(NamedTuple):
    """One of the two, and the provider of its paid model."""

    name: str
    subject: Subject
    fake: FakeReplicate

    @property
    def callers(self) -> int:
        return callers_of(self.name)

    @property
    def place(self) -> Place:
        return Place(self.subject.url(), KEYS[self.name])


def callers_of(name: str) -> int:
    """Return how many a service's crowd is."""
    return int(CROWD * SLOTS[name])


def models(takes: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the three models, of which the sandbox's take so many seconds."""
    steady, shaky = ({"latency": f"{takes[name] * 1000:.0f}ms"} for name in ("steady", "shaky"))
    offered: list[dict[str, Any]] = [
        {"name": "steady", "provider": "Sandbox", "sandbox": steady},
        {"name": "shaky", "provider": "Sandbox", "sandbox": shaky | {"failureRate": "0.5"}},
        MODEL,
    ]
    return [each | {"price": {"perImage": str(PRICES[each["name"]])}} for each in offered]


def spec_of(name: str) -> dict[str, Any]:
    """Return a spec whose alerts look back over the window, and whose budgets are spent at once."""
    fast = {"name": "fast", "severity": "Critical", "factor": "1", "for": "2m"}
    alerts = {
        "thresholds": {"window": f"{WINDOW}s", "latencyP95": "500ms", "errorRate": "0.01"},
        "slo": {
            "availability": str(AVAILABLE),
            "latency": {"threshold": f"{FAST_SECONDS:g}s", "target": str(FAST)},
        },
        "burnRates": [fast | {"longWindow": "1h", "shortWindow": "5m"}],
        "budget": {"amount": "0.01"},
    }
    access = {"access": {"apiKeysSecretRef": {"name": KEYS_SECRET}}} if KEYS[name] else {}
    return access | {
        "models": models(TAKES),
        "admission": {"maxInFlight": SLOTS[name], "maxQueued": callers_of(name) - SLOTS[name]},
        "monitoring": {"metrics": {"interval": "2s"}, "alerts": alerts},
    }


def warmed_up(services: list[Service], prometheus: Prometheus) -> dict[str, Books]:
    """Let every series begin, and wait until it has been seen: what a counter has then is in no increase."""
    sent = {}
    for service in services:
        first = f"http_requests_total{selector(service.subject)}"
        until(lambda first=first: prometheus.query(first), "the first scrape", seconds=180)
        place, books = service.place, Books()
        while len({(answer.model, answer.status) for answer in books}) < 3:
            books = Books((*books, *drive(place, {"steady": 2.0, "shaky": 2.0}, 2.0)))
        refuse(service.fake, ["429", ACCEPTED, "401"])
        sent[service.name] = Books((*books, *drive(place, {PAID: 2.0}, 1.0, rated=(None,))))
        last = f"t2i_model_tokens_total{selector(service.subject, model=PAID)}"
        until(lambda last=last: prometheus.query(last), "the paid model's tokens", seconds=60)
    return sent


def crowded(services: list[Service]) -> tuple[float, dict[str, Books]]:
    """Have more callers than are served at once; return until when they stayed, and what they were sent."""
    until_then = time.time() + CROWD_STAYS
    came = side_by_side(functools.partial(_crowd, each) for each in services)
    return until_then, dict(zip((each.name for each in services), came, strict=True))


def _crowd(service: Service) -> Books:
    apart = CROWD * SHAKY_SECONDS / service.callers
    stay = functools.partial(crowd, service.place, "shaky", service.callers, CROWD_STAYS, apart)
    both = side_by_side([stay, functools.partial(rush, service.place, "steady", RUSH, RUSH_AFTER)])
    return Books((*both[0], *both[1]))


def driven(services: list[Service], ever: dict[str, Books]) -> Phases:
    """Drive both services through both phases; what models take changes between them, while nobody asks."""
    ended = []
    for loads, takes in zip(PHASES, (TAKES, TAKES_THEN), strict=True):
        asked_at = time.time() + WINDOW
        time.sleep(QUIET_BEFORE)
        refused: dict[str, Counter[str]] = {each.name: Counter() for each in services}
        work = (functools.partial(_phase, each, loads[each.name], refused[each.name]) for each in services)
        recent = dict(zip(refused, side_by_side(work), strict=True))
        if takes is TAKES:
            _change(services, TAKES_THEN)
        time.sleep(max(0.0, asked_at - time.time()))
        ever = {name: Books((*ever[name], *recent[name])) for name in recent}
        seen = {name: Seen(recent[name], ever[name], refused[name], takes, PASTS[name]) for name in recent}
        ended.append({name: Moment(asked_at, seen[name]) for name in seen})
    return ended


def _change(services: list[Service], takes: Mapping[str, float]) -> None:
    """Have the running pods' sandboxes take so long from now on, which rolls none of them."""
    for service in services:
        service.subject.patch({"spec": {"models": models(takes)}})
    for subject in (service.subject for service in services):
        logs = functools.partial(subject.kubectl, "logs", f"deployment/{subject.name}", "-n", subject.namespace)
        until(lambda logs=logs: TAKEN_OVER in logs(), "the pod to take over its sandbox's latency")


def _phase(service: Service, load: Load, refused: Counter[str]) -> Books:
    """Close the breaker if it is half open, drive, and open it if that is wanted; count what the provider refuses.

    Whom an open one turns away is answered otherwise than those whose provider fails.
    """
    place, unrated = service.place, (None,)
    paid = functools.partial(drive, place, rated=unrated)
    refuse(service.fake, seconds=PREDICTION)
    books = paid({PAID: 1.0}, 1.0)
    script = [*itertools.islice(itertools.cycle([ACCEPTED] * (load.throttled - 1) + ["429"]), 200)]
    left = refuse(service.fake, script, PREDICTION)
    sandbox = functools.partial(drive, place, {"steady": load.steady, "shaky": load.shaky}, TRAFFIC)
    both = side_by_side([sandbox, functools.partial(paid, {PAID: load.paid}, TRAFFIC)])
    _count(refused, script[: len(script) - len(left)])
    books = Books((*books, *both[0], *both[1]))
    if load.trips:
        script = ["401"] * FAILURES_TO_OPEN
        left = refuse(service.fake, script)
        failed, turned_away = paid({PAID: 20.0}, FAILURES_TO_OPEN / 20.0), paid({PAID: 20.0}, 0.25)
        books = Books((*books, *failed, *turned_away))
        _count(refused, script[: len(script) - len(left)])
    return books


def _count(refused: Counter[str], answers: list[str]) -> None:
    refused.update(REASONS[answer] for answer in answers if answer != ACCEPTED)


def selector(subject: Subject, **labels: str) -> str:
    """Return the matchers of a service's series."""
    own: Mapping[str, str] = {"namespace": subject.namespace, "service": f"{subject.name}-service", **labels}
    return "{" + ",".join(f'{name}="{value}"' for name, value in own.items()) + "}"
