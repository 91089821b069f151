"""Ten minutes of callers that leave and a provider that fails, and what is left of it afterwards: `make soak`.

One client in ten closes its connection while its picture is made; the provider fails one call in ten, be it a create
or a look at how one stands, and one prediction in ten. Half a minute after the last of them the service must be as it
was before the first: nothing active, no task, descriptor or memory left over, and nothing running at the provider.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dev.bench import image
from dev.bench.load import BODY, HEAD, answer
from dev.bench.measure import memory, save
from dev.bench.programs import SDXL, Program, awaken, called, http, metric, recording, replicate, serving
from dev.cluster.waiting import until
from tests.fakes.replicate import RUNNING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = 60
PREDICT_SECONDS = 2.0
SHARE = 0.1
SETTLE_SECONDS = 30.0
# Longer than a connection to the provider is kept alive: the first look sees none of them, like the last.
REST_SECONDS = 10.0
MEMORY_GROWTH = 1.05  # an allocator's habits


def soak(minutes: float) -> dict[str, Any]:
    """Return the figures, `left` among them: what is not as it was, by its name."""
    with recording() as sinks, replicate(predict_seconds=PREDICT_SECONDS) as fake:
        environment = {"T2I_REPLICATE_API_URL": fake.url, **sinks.otlp}
        with serving(image.subject("--tasks"), environment, SDXL) as service:
            awaken(service, exporters=1)
            asyncio.run(_drive(service.url, 10))  # connections and code that stay are there before the first look
            time.sleep(REST_SECONDS)
            before = _state(service, fake)
            http(f"{fake.url}/_knobs", {"failing_share": SHARE, "faulty_share": SHARE}, "PUT")
            resident, warm = list[float](), Counter(_statuses(fake))
            counted = asyncio.run(
                _drive(service.url, 60 * minutes, share=SHARE, watch=lambda: resident.append(memory(service.pid).now))
            )
            ended = time.monotonic()
            after = _settled(service, fake, before)
            upstream = Counter(_statuses(fake)) - warm
            figures = {
                "image": image.described("service"),
                "minutes": minutes,
                "requests": counted,
                "provider": upstream,
                "creates_that_failed": called(fake)["create"] - sum(_statuses(fake).values()),
                "calls_sent_again": metric(service, "t2i_model_retries_total"),
                "before": before,
                "after": after,
                "seconds_to_settle": round(time.monotonic() - ended, 1),
                "resident_mib_each_half_minute": resident,
                "spans_dropped": metric(service, "t2i_spans_dropped_total"),
            }
    return figures | {"left": list(_left(figures))}


def _state(service: Program, fake: Program) -> dict[str, float]:
    """Look at descriptors first: what asks for the rest opens connections of its own."""
    descriptors = len(list(Path(f"/proc/{service.pid}/fd").iterdir()))
    return {
        "active_requests": metric(service, "active_requests"),
        "in_flight": metric(service, "t2i_generations_in_flight"),
        "tasks": float(http(f"{service.url}/_tasks")),
        "descriptors": descriptors,
        "running_upstream": sum(number for status, number in _statuses(fake).items() if status in RUNNING),
    }


def _statuses(fake: Program) -> dict[str, int]:
    counted: dict[str, int] = json.loads(http(f"{fake.url}/_statuses"))
    return counted


def _settled(service: Program, fake: Program, before: dict[str, float]) -> dict[str, float]:
    """Wait until all is as before, or half a minute; return what was seen last."""
    seen = dict[str, float]()

    def same() -> bool:
        seen.update(_state(service, fake))
        return seen == before

    until(same, seconds=SETTLE_SECONDS, every=0.5)
    return seen


def _left(figures: dict[str, Any]) -> Iterator[str]:
    before, after, resident = figures["before"], figures["after"], figures["resident_mib_each_half_minute"]
    yield from (name for name in before if after[name] != before[name])
    requests, failed = Counter(figures["requests"]), figures["creates_that_failed"]
    # Each of these answers stands for one create, as 503 does not: that is the breaker's, which asks nobody. Whose
    # create fails is told so at once, long before anybody leaves, and nothing was made for him.
    answered = requests["200"] + requests["502"]
    if sum(number for status, number in figures["provider"].items() if status != "canceled") > answered - failed:
        yield "predictions of clients that had left, not canceled"
    if sum(figures["provider"].values()) + failed > answered + requests["left"]:
        yield "creates sent again"
    if len(resident) >= 6 and max(resident[-2:]) > MEMORY_GROWTH * max(resident[1:3]):
        yield "memory"


async def _drive(url: str, seconds: float, share: float = 0.0, watch: Any = None) -> dict[str, int]:
    """Let clients ask one picture after another; count the answers by status, and those who left."""
    end, counted = time.monotonic() + seconds, Counter[str]()

    async def client() -> None:
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection(urlsplit(url).hostname, urlsplit(url).port)
            writer.write(HEAD + BODY)
            try:
                # Late enough that the prediction runs, early enough that it still does on a machine that is slow.
                patience = PREDICT_SECONDS * random.uniform(0.2, 0.5) if random.random() < share else None  # noqa: S311
                async with asyncio.timeout(patience):
                    counted[(await answer(reader))[0]] += 1
            except TimeoutError:
                counted["left"] += 1
            finally:
                writer.close()

    async def look() -> None:
        while watch:
            await asyncio.sleep(30)
            watch()

    looking = asyncio.create_task(look())
    async with asyncio.TaskGroup() as clients:
        for _ in range(CLIENTS):
            clients.create_task(client())
    looking.cancel()
    return dict(counted)


def main() -> int:
    """Return 1 when something is left over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    figures = soak(parser.parse_args().minutes)
    print(json.dumps(figures, indent=1), f"\nwritten to {save('soak', figures)}")
    return 1 if figures["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
