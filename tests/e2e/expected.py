"""What a query must give, worked out from what was sent."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from t2i_service.observing.telemetry import DURATION_BUCKETS

from tests.e2e.history import DAY, SWINGS, Past
from tests.e2e.provider import PAID, TOKENS
from tests.e2e.traffic import Books

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.e2e.traffic import Answer

# The window that everything is asked over.
WINDOW = 90
PRICES = {"steady": 0.01, "shaky": 0.03, PAID: 0.05}
# What the models take. The paid one's, retried or not, as long as the shaky one's: a bucket that few are in would move
# the percentile by a lot for each.
SHAKY_SECONDS, PREDICTION = 0.7, 0.6
TAKES = {"steady": 0.3, "shaky": SHAKY_SECONDS, PAID: PREDICTION}
# In the second phase, where the steady one is a bucket quicker: below those of the other two, whose percentiles stay.
TAKES_THEN = TAKES | {"steady": 0.12}
# The objectives of the services. Budgets are overspent so little that what is left of 1 is told from what is left of 2.
AVAILABLE, FAST, FAST_SECONDS = 0.9, 0.9, 1.0
# So long a busy machine may keep callers themselves, which is less than what a crowd makes each other wait.
KEPT_SECONDS = 0.5
# As many failures of its provider in a row and a model's breaker opens.
FAILURES_TO_OPEN = 10
# Of the bands that are learnt, as the operator makes them by default: their width in deviations, and the least
# deviation of the share of errors.
DEVIATIONS, LEAST_ERRORS = 3, 0.01
# What an open one answers, and a full queue, so that no provider is asked.
TURNED_AWAY = "503"

Values = dict[tuple[str, ...], float]
NO_PAST = Past(0, {}, {})


class Seen(NamedTuple):
    """What a query can know of: the traffic of the window, and all since the service's first scrape.

    `refused` counts the creates of the window that its provider refused, by why; `takes` is what models take in it;
    `past` is what Prometheus remembers of the weeks before.
    """

    recent: Books
    ever: Books
    refused: Mapping[str, int]
    takes: Mapping[str, float] = MappingProxyType(TAKES)
    past: Past = NO_PAST

    @property
    def undisturbed(self) -> Seen:
        """What callers had seen in the window if all had taken as long as at the provider.

        In all the time, what they had seen if the machine had kept nobody for `KEPT_SECONDS`.
        """
        return self._replace(recent=_at_the_provider(self.recent, self.takes), ever=_not_kept(self.ever))


class Expected(NamedTuple):
    """The values that a query must give, by those of its labels that tell its series apart.

    Not `whole`: there may be other series too. `bounded` ones are of times, which lie between what the providers took
    and what the callers saw: the same in a histogram, unless a busy machine has kept the callers themselves waiting.
    """

    labels: tuple[str, ...]
    values: Callable[[Seen], Mapping[tuple[str, ...], float]]
    whole: bool = True
    bounded: bool = False

    def holds(self, found: Mapping[tuple[str, ...], float], seen: Seen) -> bool:
        """Compare with what was sent."""
        return self.agrees(found, self.values(seen), self.values(seen.undisturbed) if self.bounded else {})

    def agrees(
        self,
        found: Mapping[tuple[str, ...], float],
        sent: Mapping[tuple[str, ...], float],
        least: Mapping[tuple[str, ...], float] = MappingProxyType({}),
    ) -> bool:
        """Compare to within 5 %, or with all from `least` on; a series of zeros and none at all are the same.

        What is left of a budget is the more, the less was seen.
        """
        others = [value for key, value in found.items() if key not in sent and value and not math.isnan(value)]
        return not (self.whole and others) and all(
            any(_close(found.get(key, 0.0), end) for end in ends)
            or (key in found and min(ends) <= found[key] <= max(ends))
            for key, ends in ((key, (most, least.get(key, most))) for key, most in sent.items())
        )


def _close(found: float, sent: float) -> bool:
    return math.isclose(found, sent, rel_tol=0.05, abs_tol=1e-9)


def one(value: Callable[[Books], float], *, ever: bool = False) -> Expected:
    """Expect a single series."""
    return Expected((), lambda seen: {(): value(seen.ever if ever else seen.recent)})


def each(
    label: str, of: Callable[[Answer], str | None], value: Callable[[Books], float], *, ever: bool = False
) -> Expected:
    """Expect a series for each group of answers."""

    def values(seen: Seen) -> Values:
        return {(word,): value(group) for word, group in (seen.ever if ever else seen.recent).by(of).items()}

    return Expected((label,), values)


def only(values: Callable[[Seen], Values], *key: str) -> Expected:
    """Expect one of these values, by an expression whose rule adds the labels that tell it apart."""
    return Expected((), lambda seen: {(): values(seen)[key]})


def nothing(*labels: str) -> Expected:
    """Expect no series but those of zeros."""
    return Expected(labels, lambda _: {})


def model(answer: Answer) -> str:
    return answer.model


def caller(answer: Answer) -> str:
    return answer.caller


def a_second(books: Books) -> float:
    return len(books) / WINDOW


def failures(books: Books) -> float:
    return 1 - books.success


def failed_a_second(books: Books) -> float:
    return a_second(books.only(lambda answer: not answer.good))


def cost(books: Books) -> float:
    """Add up the pictures: a failed prediction makes none, and the price is by the image."""
    return sum(PRICES[answer.model] for answer in books if answer.good)


def cost_of_one(books: Books) -> float:
    return cost(books) / len(books)


def percentile(share: float) -> Callable[[Books], float]:
    return lambda books: books.quantile(share, DURATION_BUCKETS)


def response_time(share: float) -> Callable[[Books], float]:
    """Leave out what was turned away: only what ran has a duration."""
    return lambda books: percentile(share)(ran(books))


def model_time(share: float) -> Expected:
    """Leave out what the paid model's provider refused: only a prediction has a duration."""
    return each("model", model, lambda books: percentile(share)(books.only(predicted)))._replace(bounded=True)


def ran(books: Books) -> Books:
    return books.only(lambda answer: answer.status != TURNED_AWAY)


def predicted(answer: Answer) -> bool:
    """Tell whether a provider has begun a picture; the sandbox fails when it would be done."""
    return answer.good or (answer.model != PAID and answer.status != TURNED_AWAY)


def _at_the_provider(books: Books, takes: Mapping[str, float]) -> Books:
    return Books(each._replace(seconds=takes[each.model] if predicted(each) else 0.0) for each in books)


def _not_kept(books: Books) -> Books:
    return Books(each._replace(seconds=max(0.0, each.seconds - KEPT_SECONDS)) for each in books)


def outcomes(seen: Seen) -> Values:
    return {
        (name, word): a_second(books)
        for name, group in seen.recent.by(model).items()
        for word, books in group.by(lambda answer: "success" if answer.good else "error").items()
    }


def by_endpoint(seen: Seen) -> Values:
    return {("/generate",): a_second(seen.recent), ("/feedback",): a_second(rated(seen.recent))}


def rated(books: Books) -> Books:
    return books.only(lambda answer: answer.rating is not None)


def by_key(seen: Seen) -> Values:
    return {(name,): a_second(books) + a_second(rated(books)) for name, books in seen.recent.by(caller).items()}


def turned_away(seen: Seen) -> Values:
    """Expect those who found the queue full, before any breaker had opened."""
    return {("queue_full",): a_second(seen.ever.only(lambda answer: answer.status == TURNED_AWAY))}


def errors(seen: Seen) -> Values:
    failed = seen.recent.only(lambda answer: not answer.good)
    return {(status,): a_second(books) for status, books in failed.by(lambda answer: answer.status).items()}


def feedback(seen: Seen) -> Values:
    return {
        (name, rating): float(len(books))
        for name, group in seen.ever.by(model).items()
        for rating, books in group.by(lambda answer: answer.rating).items()
    }


def refusals(seen: Seen) -> Values:
    return {(PAID, reason): count / WINDOW for reason, count in seen.refused.items()}


def retries(seen: Seen) -> Values:
    """Expect those of throttled creates: a token that is refused once is refused again."""
    return {key: value for key, value in refusals(seen).items() if key[1] == "rate_limited"}


def tokens(seen: Seen) -> Values:
    made = seen.recent.good.only(lambda answer: answer.model == PAID)
    return {(PAID, kind): count * a_second(made) for kind, count in TOKENS.items()}


def breakers(seen: Seen) -> Values:
    """Expect it half open: it opened longer ago than it stays so, and nobody has asked since."""
    return {(PAID,): 1.0} if seen.refused.get("unauthorized", 0) >= FAILURES_TO_OPEN else {}


def slo_events(seen: Seen) -> Values:
    return {("availability",): float(len(seen.ever)), ("latency",): float(len(ran(seen.ever)))}


def slo_errors(seen: Seen) -> Values:
    slow = seen.ever.only(lambda answer: answer.seconds > FAST_SECONDS)
    failed = len(seen.ever) - len(seen.ever.good)
    return {("availability",): float(failed), ("latency",): float(len(slow))}


def burns(seen: Seen) -> Values:
    """Tell how many times too fast the budgets go, over any window that holds all there was."""
    allowed = {"availability": 1 - AVAILABLE, "latency": 1 - FAST}
    events = slo_events(seen)
    return {(name,): count / events[name,] / allowed[name] for (name,), count in slo_errors(seen).items()}


def burn_rates(seen: Seen) -> Values:
    """Tell of what is recorded half a minute after it happened, a rule's pace; others lag more."""
    return {(name, window): value for (name,), value in burns(seen).items() for window in ("5m", "1h")}


def budgets(seen: Seen) -> Values:
    return {name: 1 - value for name, value in burns(seen).items()}


def signals(seen: Seen) -> Values:
    """Tell of the half hour that holds all there was."""
    values = {"requests": len, "latency": response_time(0.95), "errors": failures, "cost": cost}
    return {(name,): float(value(seen.ever)) for name, value in values.items()}


def against_last_week(seen: Seen) -> Values:
    """Compare a day that holds all there was with the one a week ago."""
    return {(): len(seen.ever) / seen.past.requests - 1}


def last_week(seen: Seen) -> Values:
    return {(): seen.past.requests / DAY}


def usual(seen: Seen) -> Values:
    return {(signal,): level for signal, level in seen.past.a_week_ago.items()}


def usual_before(seen: Seen) -> Values:
    return {(signal,): level for signal, level in seen.past.two_weeks_ago.items()}


def varied(of: Callable[[Seen], Values]) -> Expected:
    return Expected(("signal",), lambda seen: {key: SWINGS[key[0]] * level for key, level in of(seen).items()})


def high(seen: Seen) -> Values:
    """Expect the higher of two weeks."""
    before = usual_before(seen)
    return {key: max(level, before[key]) for key, level in usual(seen).items()}


def deviation(seen: Seen) -> Values:
    """Expect the most of: how it varied, a fifth of its mean, and by how much chance lets a count vary."""
    chance = 1 / math.sqrt(high(seen)["requests",])
    deviations = {
        (signal,): max(SWINGS[signal] * level, 0.2 * seen.past.a_week_ago[signal], chance * level)
        for (signal,), level in high(seen).items()
    }
    return deviations | {("errors",): max(LEAST_ERRORS, deviations["errors",])}


def upper(seen: Seen) -> Values:
    return {key: level + DEVIATIONS * deviation(seen)[key] for key, level in high(seen).items()}


def lower(seen: Seen) -> Values:
    least = min(usual(seen)["requests",], usual_before(seen)["requests",])
    return {("requests",): max(0.0, least - DEVIATIONS * deviation(seen)["requests",])}


def above(signal: str) -> Expected:
    """Expect the signal itself where it leaves the band."""

    def values(seen: Seen) -> Values:
        value = signals(seen)[signal,]
        return {(): value} if value > upper(seen)[signal,] else {}

    return Expected((), values)


def all_spans(books: Books) -> float:
    """Count the whole requests, their models, their pictures and their ratings; a wait for a slot is one more."""
    return sum(map(a_second, (books, ran(books), books.good, rated(books))))


def spans(of_models: Callable[[Books], float], of_all: Callable[[Books], float] | None) -> Expected:
    """Expect the spans of the whole request and of its model; steps in between come on top."""

    def values(seen: Seen) -> Values:
        steps: Values = {("generate_image",): of_all(seen.recent)} if of_all else {}
        reached = ran(seen.recent).by(model).items()
        return steps | {(f"{_PROVIDERS.get(name, 'sandbox')}_{name}",): of_models(group) for name, group in reached}

    return Expected(("span_name",), values, whole=False)


_PROVIDERS = {PAID: "replicate"}
