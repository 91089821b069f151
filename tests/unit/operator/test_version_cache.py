"""Versions of Secrets while events come in between: an order that an API server cannot be made to keep."""

import asyncio

import aiohttp
import pytest
from t2i_operator.known.version_cache import VersionCache, max_age
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import Kind, Object
from t2i_operator.settings import read

MAX_AGE = 10.0


class SlowCluster(Cluster):
    """Answers a GET with the version as it was when the request came, and only when told to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.version, self.asked, self.answer = 1, 0, asyncio.Event()
        self.answer.set()

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        assert metadata_only, "values are not to be read"
        self.asked += 1
        version = str(self.version)
        await self.answer.wait()
        return {"metadata": {"uid": "u", "resourceVersion": version}}


async def test_an_event_during_the_question_makes_its_answer_old() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = SlowCluster(session)
        cache = VersionCache(cluster, max_age_seconds=MAX_AGE)
        cluster.answer.clear()
        asking = asyncio.create_task(cache.versions("n", ["a"]))
        await asyncio.sleep(0)
        assert cluster.asked == 1
        cluster.version = 2
        cache.changed("n", "a")
        cluster.answer.set()
        assert await asking == {"a": ("u", "1")}

        assert await cache.versions("n", ["a"]) == {"a": ("u", "2")}
        assert await cache.versions("n", ["a"]) == {"a": ("u", "2")}
        assert cluster.asked == 2


async def test_what_nobody_asks_for_is_dropped() -> None:
    now = 0.0
    async with aiohttp.ClientSession() as session:
        cache = VersionCache(SlowCluster(session), max_age_seconds=MAX_AGE, clock=lambda: now)
        await cache.versions("n", [f"s{number}" for number in range(50)])
        now += MAX_AGE
        await cache.versions("n", ["another"])
        assert cache.remembered == 1


@pytest.mark.parametrize("changed_at", range(90, 140, 5))
@pytest.mark.parametrize("offset", [0.1, 1.0, 8.0, 22.5, 43.0, 44.9])
async def test_resources_that_share_a_secret_see_its_change_within_a_minute(offset: float, changed_at: int) -> None:
    """Two of them, each polled at the default pace, of which one asks shortly before the other."""
    now, poll = 0.0, read(["--service-image=i"], {}).poll_seconds
    async with aiohttp.ClientSession() as session:
        cluster = SlowCluster(session)
        cache = VersionCache(cluster, max_age_seconds=max_age(poll), clock=lambda: now)
        seen: dict[float, float] = {}
        for now, who in sorted((first + number * poll, first) for first in (0.0, offset) for number in range(6)):
            cluster.version = 2 if now >= changed_at else 1
            if (await cache.versions("n", ["a"]))["a"] == ("u", "2"):
                seen.setdefault(who, now)
    assert len(seen) == 2
    assert max(seen.values()) - changed_at < 60 - 3, "a pass takes time, too"


def test_a_quick_poll_asks_each_time() -> None:
    assert max_age(2.0) < 2.0
