"""Waiting until a program or a cluster has got somewhere, errors on the way included."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from tests.kubectl import KubectlError

T = TypeVar("T")
# What asking too early raises, beside what the condition itself asserts.
NOT_YET = (AssertionError, KeyError, IndexError, TypeError, StopIteration, KubectlError, httpx.TransportError)


def eventually(ask: Callable[[], T], what: str, seconds: float = 30.0, *, every: float = 0.1) -> T:
    """Return the first true answer; the last false one, or the last error, stands in the failure."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            last: object = ask()
            if last:
                return last  # type: ignore[return-value]
        except NOT_YET as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what}; last: {last!r}")
        time.sleep(every)
