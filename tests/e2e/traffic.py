"""A load generator that keeps its own books: what a service was sent and how it answered, without asking Prometheus."""

from __future__ import annotations

import itertools
import time
from bisect import bisect_left
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence


class Answer(NamedTuple):
    """One request for a picture as its caller saw it; `rating` is what the caller then gave the picture."""

    model: str
    status: str
    seconds: float
    rating: str | None
    caller: str

    @property
    def good(self) -> bool:
        return self.status == "200"


class Books(tuple[Answer, ...]):
    """What was sent to one service in some time."""

    __slots__ = ()

    def only(self, keep: Callable[[Answer], bool]) -> Books:
        return Books(filter(keep, self))

    def by(self, of: Callable[[Answer], str | None]) -> dict[str, Books]:
        """Group by a word of each answer; those without one are left out."""
        words = sorted({word for each in self if (word := of(each)) is not None})
        return {word: self.only(lambda each, word=word: of(each) == word) for word in words}

    @property
    def good(self) -> Books:
        return self.only(lambda each: each.good)

    @property
    def success(self) -> float:
        return len(self.good) / len(self)

    def quantile(self, share: float, bounds: Sequence[float]) -> float:
        """Interpolate within buckets, as `histogram_quantile` does."""
        counts = Counter(bisect_left(bounds, each.seconds) for each in self)
        rank, below = share * len(self), 0
        for number, bound in enumerate(bounds):
            if below + counts[number] >= rank:
                lower = bounds[number - 1] if number else 0.0
                return lower + (bound - lower) * (rank - below) / counts[number]
            below += counts[number]
        return bounds[-1]


RATINGS = ("down", "up", None)
# Who is turned away comes again after so many seconds.
PAUSE = 0.2


class Place(NamedTuple):
    """Where a service is, and the API keys that it is asked with, by their ids; without keys everybody is one."""

    url: str
    keys: Mapping[str, str] = {}

    @property
    def callers(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Take turns for ever: a caller's id, and the headers of its requests."""
        known = [(name, {"Authorization": f"Bearer {key}"}) for name, key in self.keys.items()]
        return itertools.cycle(known or [("anonymous", {})])


def drive(place: Place, rates: Mapping[str, float], seconds: float, rated: Sequence[str | None] = RATINGS) -> Books:
    """Ask for pictures of each model so many times a second, evenly, whatever the answers take.

    Of the pictures, as they are asked for, each is rated by the next of `rated`, over and over.
    """
    began = time.monotonic()
    moments = sorted((number / rate, model) for model, rate in rates.items() for number in range(int(rate * seconds)))
    with httpx.Client(base_url=place.url, timeout=60) as client, ThreadPoolExecutor(64) as threads:
        ratings, callers = itertools.cycle(rated), place.callers
        sent: list[Future[Answer]] = []
        for moment, model in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            sent.append(threads.submit(_ask, client, model, next(ratings), *next(callers)))
        return Books(each.result() for each in sent)


def crowd(place: Place, model: str, callers: int, seconds: float, apart: float) -> Books:
    """Have so many callers ask again as soon as they are answered, so that just so many requests are being served.

    They begin `apart` seconds after each other: callers in step would all be between two requests at once.
    """
    end = time.monotonic() + seconds

    def ask(client: httpx.Client, number: int, caller: str, headers: dict[str, str]) -> list[Answer]:
        time.sleep(number * apart)
        answers: list[Answer] = []
        while time.monotonic() < end:
            answers.append(_ask(client, model, None, caller, headers))
            time.sleep(PAUSE if answers[-1].status == "503" else 0)
        return answers

    with httpx.Client(base_url=place.url, timeout=60) as client, ThreadPoolExecutor(callers) as threads:
        known = place.callers
        asked = [threads.submit(ask, client, number, *next(known)) for number in range(callers)]
        return Books(answer for each in asked for answer in each.result())


def side_by_side(work: Iterable[Callable[[], Books]]) -> list[Books]:
    """Drive several services at the same time."""
    with ThreadPoolExecutor() as threads:
        return [each.result() for each in [threads.submit(one) for one in work]]


def rush(place: Place, model: str, callers: int, after: float) -> Books:
    """Have so many ask at once, after some seconds."""
    time.sleep(after)
    return drive(place, {model: callers * 100.0}, 0.01, rated=(None,))


def _ask(client: httpx.Client, model: str, rating: str | None, caller: str, headers: dict[str, str]) -> Answer:
    body: dict[str, Any] = {"prompt": "a mill by a brook", "model": model, "width": 64, "height": 64}
    began = time.monotonic()
    answer = client.post("/generate", json=body, headers=headers)
    seconds = time.monotonic() - began
    if answer.status_code != 200 or rating is None:
        return Answer(model, str(answer.status_code), seconds, None, caller)
    rated = {"generation_id": answer.json()["id"], "rating": rating}
    client.post("/feedback", json=rated, headers=headers).raise_for_status()
    return Answer(model, str(answer.status_code), seconds, rating, caller)
