"""A past that services never had, laid into the stack's Prometheus: what looks weeks back has something to see.

It stays there until Prometheus' retention ends, under namespaces that nobody else has.
"""

from __future__ import annotations

import itertools
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from dev.bench.targets import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.e2e.subject import Subject

HOUR, DAY, WEEK = 3600, 86400, 7 * 86400
# What is recorded of a signal goes up and down by this share of it, so that that is its standard deviation.
SWINGS: Mapping[str, float] = MappingProxyType({"requests": 0.25, "latency": 0.25, "errors": 0.1, "cost": 0.1})
# The paces of a scrape, of the group that records signals and of that which records their hours, in seconds.
SCRAPED, RECORDED, HOURLY = 60, 120, HOUR
# Only what has long left Prometheus' memory may be laid: it forgets what it holds there of the time of any block.
SETTLED = 6 * HOUR
_POD = "prometheus-text-to-image-0"
_EXEC = ("exec", "-i", _POD, "-n", "monitoring", "-c", "prometheus", "--", "sh", "-ec")
_WRITE = """
cd /prometheus
cat > "$0.om"
trap 'rm "$0.om"' EXIT
TMPDIR=. promtool tsdb create-blocks-from --quiet --max-block-duration=54h openmetrics "$0.om" .
"""


class Past(NamedTuple):
    """What a service was like: so many requests on the day a week ago, and the signals of half hours by their names.

    Those do not follow from that: each query reads either what was scraped or what was recorded.
    """

    requests: float
    a_week_ago: Mapping[str, float]
    two_weeks_ago: Mapping[str, float]

    def lay(self, subject: Subject) -> None:
        """Write it as blocks; Prometheus finds them within a minute."""
        subject.kubectl("wait", f"pod/{_POD}", "-n", "monitoring", "--for=condition=Ready", "--timeout=180s")
        text = "".join((*self._scraped(subject), *self._recorded(subject), "# EOF\n"))
        subject.kubectl(*_EXEC, _WRITE, subject.namespace, input=text)

    def _scraped(self, subject: Subject) -> Iterator[str]:
        labels = _labels(subject, endpoint="/generate", method="POST", status="200", pod="of-old")
        now = int(time.time())
        for at in range(now - WEEK - DAY - HOUR, now - WEEK + DAY // 2, SCRAPED):
            yield f"http_requests_total{{{labels}}} {self.requests * (at - now + 2 * WEEK) / DAY} {at}\n"

    def _recorded(self, subject: Subject) -> Iterator[str]:
        now = int(time.time())
        for weeks, levels in enumerate((self.a_week_ago, self.two_weeks_ago), 1):
            for signal, level in levels.items():
                labels, swing = _of_signal(subject, signal), itertools.cycle((1 - SWINGS[signal], 1 + SWINGS[signal]))
                for at in range(now - weeks * WEEK - 2 * HOUR, now - weeks * WEEK + 4 * HOUR, RECORDED):
                    yield f"t2i:signal{{{labels}}} {level * next(swing)} {at}\n"
        for signal, level in self.a_week_ago.items():
            for at in range(now - WEEK, now - SETTLED, HOURLY):
                yield f"t2i:signal:mean1h{{{_of_signal(subject, signal)}}} {level} {at}\n"


def _of_signal(subject: Subject, signal: str) -> str:
    return _labels(subject, signal=signal, **({"currency": "USD"} if signal == "cost" else {}))


def _labels(subject: Subject, **labels: str) -> str:
    return spelled({"namespace": subject.namespace, "service": f"{subject.name}-service", **labels})
