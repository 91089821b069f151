"""Waiting for a condition instead of for a time."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import httpx

from tests.kubectl import KubectlError

T = TypeVar("T")
# What asking too early raises, beside what the condition itself asserts.
NOT_YET = (AssertionError, KeyError, IndexError, TypeError, StopIteration, KubectlError, httpx.TransportError)


def eventually(ask: Callable[[], T], what: str, seconds: float = 30.0, *, every: float = 0.1) -> T:
    """Return the first true answer of a cluster or a program, errors on the way included.

    The last false answer, or the last error, stands in the failure.
    """
    last: object = None
    for _ in _again(seconds, every):
        try:
            last = ask()
            if last:
                return last
        except NOT_YET as error:
            last = error
    raise AssertionError(f"waited {seconds:g} s for {what}; last: {last!r}")


def wait_for(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the condition's first true value, of a program beside the test that shows no error, however early asked.

    It is asked so often that it may be true for a moment only; the condition's own line says in the failure what it is.
    """
    value = None
    for _ in _again(seconds, every=0.01):
        if value := condition():
            return value
    raise AssertionError(f"still {value!r} after {seconds:g} s")


def _again(seconds: float, every: float) -> Iterator[None]:
    """Come round until the time is over, and then a last time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(every)
    yield
