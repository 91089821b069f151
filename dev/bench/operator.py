"""How fast and how large the operator is, beside a bare client in the same run: `make bench-operator`.

docs/performance.md says what the figures mean.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Any

from dev.bench import crowd, image, phases
from dev.bench.client import session
from dev.bench.measure import memory, save
from dev.bench.roll import roll
from dev.bench.scene import Scene, scene
from dev.cluster.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiohttp

    from dev.bench.recorder import Exchange, Subject

SAMPLES = 100
HANDOVERS = 5
BARE = 300
RESYNC_SECONDS = 30.0


def main(argv: list[str] | None = None) -> int:
    """Return 1, after a sentence, when the cluster does not come up."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.operator", description=__doc__)
    parser.add_argument("--count", type=int, nargs="+", default=[1000], help="how many resources; a run for each")
    strangers = f"also with {crowd.SECRETS} Secrets and {crowd.PODS} Pods of others"
    parser.add_argument("--crowd", action="store_true", help=strangers)
    parser.add_argument("--roll", action="store_true", help="instead: roll one pod of each, on nodes of kwok")
    options = parser.parse_args(argv)
    try:
        with scene() as here:
            everything = _rolls(here, options.count) if options.roll else _all(here, options.count, options.crowd)
            asyncio.run(everything)
    except UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


async def _rolls(here: Scene, counts: Sequence[int]) -> None:
    async with session(here.layout.kubeconfig) as admin:
        for count in counts:
            _tell(f"operator-roll-{count}", await roll(here, admin, count))


async def _all(here: Scene, counts: Sequence[int], crowded: bool) -> None:
    async with session(here.layout.kubeconfig) as admin:
        recorded = await phases.record(here, admin)
        for count in counts:
            _tell(f"operator-{count}", await _run(here, admin, recorded, count, crowded=crowded))


def _tell(name: str, figures: dict[str, Any]) -> None:
    figures = {"image": image.described("operator"), **figures}
    print(json.dumps(figures, indent=1), f"\n{save(name, figures)}", flush=True)


async def _run(
    here: Scene, admin: aiohttp.ClientSession, recorded: tuple[list[Exchange], Subject], count: int, *, crowded: bool
) -> dict[str, Any]:
    """Measure the bare client before and after, so that a machine that changes meanwhile shows."""
    mix = [exchange.method for exchange in recorded[0]]
    figures: dict[str, Any] = {"recorded_requests": {method: mix.count(method) for method in sorted(set(mix))}}
    few = min(count, BARE)
    before = await phases.bare(here, admin, recorded, few, f"before-{count}")
    figures |= await _operator(here, admin, count, crowded=crowded)
    after = await phases.bare(here, admin, recorded, few, f"after-{count}")
    rate = figures["converge"]["resources_per_second"]
    asked = figures["converge"]["requests_per_second"]
    bare = [each["resources_per_second"] for each in (before, after)]
    bare_asked = [each["requests_per_second"] for each in (before, after)]
    return figures | {
        "bare_before": before,
        "bare_after": after,
        "ratio": round(2 * rate / sum(bare), 3),
        "ratio_by_requests": round(2 * asked / sum(bare_asked), 3),
    }


async def _operator(here: Scene, admin: aiohttp.ClientSession, count: int, *, crowded: bool) -> dict[str, Any]:
    namespace = here.namespace(f"run-{count}")
    subjects = await here.resources(admin, namespace, count, here.account.class_name)
    operator = here.account.process("measured")
    try:
        figures = {"converge": await phases.converge(here, operator, namespace, count)}
        figures["converge"]["ready"] = await phases.ready(admin, namespace)
        figures["deleted_to_repaired"] = await phases.repairs(here, admin, subjects, SAMPLES, "delete")
        figures["edited_to_repaired"] = await phases.repairs(here, admin, subjects, SAMPLES, "patch")
        if crowded:
            figures["crowd"] = await _crowded(here, admin, operator.pid)
    finally:
        await asyncio.to_thread(operator.stop)
    figures["stopped_to_repaired"] = await phases.handover(here, admin, subjects[0], HANDOVERS, signal.SIGTERM)
    figures["killed_to_repaired"] = await phases.handover(here, admin, subjects[0], HANDOVERS, signal.SIGKILL)
    figures["restart"] = await phases.restart(here, namespace, count, RESYNC_SECONDS)
    await asyncio.to_thread(here.gone, namespace)
    return figures


async def _crowded(here: Scene, admin: aiohttp.ClientSession, pid: int) -> dict[str, float]:
    before = memory(pid).now
    await crowd.gather(admin, here.namespace("crowd"))
    return {"rss_mib_before": before, "rss_mib_with_crowd": memory(pid).now}


if __name__ == "__main__":
    sys.exit(main())
