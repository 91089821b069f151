"""One edit that rolls the pods of all resources at once, on nodes of kwok: `--roll` of the operator's benchmark."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from dev.bench import phases
from dev.bench.client import ask, side_by_side
from dev.bench.fake_nodes import POD_SPEC, fake_nodes
from dev.bench.measure import cpu_seconds, memory
from dev.bench.scene import SERVICES, SPEC

if TYPE_CHECKING:
    from collections.abc import Awaitable

    import aiohttp

    from dev.bench.recorder import Subject
    from dev.bench.scene import Scene
    from tests.cluster.operators import OperatorProcess

RUNNING = {**SPEC, "replicas": 1, "podTemplate": {"spec": POD_SPEC}}
# A setting that the service reads at its start, so that pods are replaced.
EDIT = {"spec": {"logging": {"promptCharacters": 80}}}
PATIENCE_SECONDS = 3600.0


async def roll(here: Scene, admin: aiohttp.ClientSession, count: int) -> dict[str, Any]:
    """Bring up so many resources of one pod each, then edit all; a phase ends when all are Ready and it is quiet."""
    with fake_nodes(here.layout):
        namespace = here.namespace(f"roll-{count}")
        subjects = await here.resources(admin, namespace, count, here.account.class_name, RUNNING)
        operator = here.account.process("rolling")
        try:
            started = asyncio.to_thread(phases.started, operator)
            figures: dict[str, Any] = {"resources": count, "up": await _phase(here, admin, operator, subjects, started)}
            figures["rolled"] = await _phase(here, admin, operator, subjects, _edit(admin, subjects))
        finally:
            await asyncio.to_thread(operator.stop)
        await asyncio.to_thread(here.gone, namespace)
    return figures


async def _phase(
    here: Scene, admin: aiohttp.ClientSession, operator: OperatorProcess, subjects: list[Subject], act: Awaitable[None]
) -> dict[str, Any]:
    namespace, count = subjects[0].namespace, len(subjects)
    audit, user = here.audit(namespace), here.account.username
    offset, began = audit.now(), time.time()
    await act
    acted = time.time()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await phases.ready(admin, namespace) < count:  # noqa: ASYNC110 - it is another process that is waited for
            await asyncio.sleep(2)
    writes = await audit.quiet(offset, user, phases.QUIET_SECONDS)
    everybody = audit.since(offset)
    held = memory(operator.pid)
    return {
        "seconds": round(writes[-1].at - began, 1),
        "of_them_to_ask_for_it": round(acted - began, 1),
        "writes_per_resource": round(len(writes) / count, 2),
        "writes_per_resource_by_kind": {
            kind: round(number / count, 2) for kind, number in Counter(write.resource for write in writes).items()
        },
        "most_writes_of_a_status": max(Counter(w.name for w in writes if w.resource == "texttoimageservices").values()),
        "writes_of_everybody_per_resource": round(len(everybody) / count, 2),
        "cpu_ms_per_resource_since_start": round(1000 * cpu_seconds(operator.pid) / count, 1),
        "peak_rss_mib": held.peak,
        "rss_mib": held.now,
    }


async def _edit(admin: aiohttp.ClientSession, subjects: list[Subject]) -> None:
    async def one(subject: Subject) -> None:
        path = f"{SERVICES.format(subject.namespace)}/{subject.name}"
        await ask(admin, "PATCH", path, EDIT, "merge-patch+json")

    await side_by_side(partial(one, subject) for subject in subjects)
