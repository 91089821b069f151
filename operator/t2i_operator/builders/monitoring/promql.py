"""The few PromQL phrases that all rules are made of."""

from typing import NamedTuple

from t2i_operator import naming, spec
from t2i_operator.builders.monitoring import metrics

GENERATION = f'endpoint=~"{"|".join(metrics.GENERATION_ENDPOINTS)}"'
# An asynchronous request is answered 202 at once: it says nothing about how the generation went.
SYNCHRONOUS = f'{GENERATION},status!="202"'
SERVER_ERROR = f'{GENERATION},status=~"5.."'
# Who has no key, or asks more often than it may, was not let in: what came of the others is what is judged.
JUDGED = f'{GENERATION},status!~"401|429"'
# Of generations: what was canceled or refused says nothing about the model.
ENDED, SUCCEEDED, FAILED = 'status=~"success|error"', 'status="success"', 'status="error"'


class Scope(NamedTuple):
    """The series of one service: every selector goes through it, so that two services never mix."""

    namespace: str
    service: str
    interval: str

    @property
    def labels(self) -> dict[str, str]:
        """Give what tells this service from others, for rules whose result has no labels."""
        return {"namespace": self.namespace, "service": self.service}

    def select(self, metric: str, matchers: str = "") -> str:
        """Name the series of the service."""
        own = f'namespace="{self.namespace}",service="{self.service}"'
        return f"{metric}{{{own}{',' if matchers else ''}{matchers}}}"

    def increase(self, metric: str, matchers: str, window: str) -> str:
        """Give what a counter has grown by, over all pods."""
        return f"sum(increase({self.select(metric, matchers)}[{window}]))"

    def increase_or_zero(self, metric: str, matchers: str, window: str) -> str:
        """For what may never have happened: a series that is not there yet means none, not unknown."""
        return f"({self.increase(metric, matchers, window)} or vector(0))"

    def fewest(self, count: int, window: str) -> int:
        """Give the value of `increase` that fewer than `count` never reach.

        What grew between the first scrape in a window and the last it makes as much more of as the window is longer.
        """
        whole, interval = spec.seconds(window), spec.seconds(self.interval)
        scraped = (whole // interval - 1) * interval
        return int((count - 1) * whole // scraped) + 1 if scraped > 0 else count


def scope(resource: spec.TextToImageService) -> Scope:
    """Return the scope of the resource."""
    interval = resource.spec.monitoring.metrics.scrape_interval
    return Scope(resource.metadata.namespace, naming.service(resource.metadata.name), interval)


def bound(duration: str) -> str:
    """Spell a duration as the service's client library spells a bucket's bound: `10s` is `10.0`."""
    return str(float(spec.seconds(duration)))


def percent(fraction: str) -> str:
    """Spell `0.975` as `97.5%`, as Prometheus' `humanizePercentage` does."""
    return f"{float(fraction) * 100:g}%"
