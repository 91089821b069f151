"""Ten minutes of people who edit, break and delete what the operator keeps, and what is left: `make soak-operator`.

Resources are created, edited and deleted, their children edited and deleted, ten times a second. When it ends, all
must be Ready for their last spec, an operator that starts afresh must find nothing to write, nothing of a deleted
resource may be left, and the process must hold no more memory or descriptors than after its first minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from itertools import cycle, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dev.bench import image, phases
from dev.bench.client import RefusedError, ask, session
from dev.bench.measure import memory, save
from dev.bench.scene import SERVICES, SPEC, Scene, scene
from dev.cluster.errors import UnfitError
from tests.cluster.operators import metric

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import aiohttp

    from dev.bench.recorder import Subject
    from tests.cluster.operators import OperatorProcess

COUNT = 100
PEOPLE = 5
PAUSE_SECONDS = 0.4
LOOK_SECONDS = 30.0
RESYNC_SECONDS = 60.0
SETTLE_SECONDS = 60.0
SPARE_DESCRIPTORS = 10
MEMORY_GROWTH = 1.05
EDITS: tuple[dict[str, Any], ...] = (
    {"logging": {"promptCharacters": 0}},
    {"logging": {"promptCharacters": 200}},
    {"ingress": None},
    {"ingress": SPEC["ingress"]},
    {"monitoring": {"alerts": {"mode": "Disabled"}}},
    {"monitoring": {"alerts": {"mode": "Managed"}}},
    {"monitoring": {"dashboards": {"mode": "Disabled"}}},
    {"monitoring": {"dashboards": {"mode": "Managed"}}},
    {"models": [{"name": f"m{number}", "provider": "Sandbox"} for number in range(32)]},
    {"models": SPEC["models"]},
    {"credentials": {"secretRef": {"name": "nobody-has-made-this"}}},
    {"credentials": None},
)


class _Stage(NamedTuple):
    here: Scene
    admin: aiohttp.ClientSession
    operator: OperatorProcess
    namespace: str
    chance: random.Random


async def soak(here: Scene, admin: aiohttp.ClientSession, minutes: float) -> dict[str, Any]:
    """Return the figures, `left` among them: what is not as it should be, by its name."""
    namespace = here.namespace("soak")
    audit, offset = here.audit(namespace), here.audit(namespace).now()
    operator = here.account.process("soaked", resync_seconds=RESYNC_SECONDS)
    stage = _Stage(here, admin, operator, namespace, random.Random(0))  # noqa: S311 - nothing to guess
    subjects = await here.resources(admin, namespace, COUNT, here.account.class_name)
    try:
        await asyncio.to_thread(phases.started, operator)
        await _live(stage, subjects, seconds=20)  # code and connections that stay are there before the first look
        await _all_well(stage)
        before, resident = _state(operator), list[float]()
        acts = await _live(stage, subjects, 60 * minutes, lambda: resident.append(memory(operator.pid).now))
        ended = time.monotonic()
        unready = await _all_well(stage)
        figures = {
            "minutes": minutes,
            "acts": acts,
            "seconds_to_settle": round(time.monotonic() - ended, 1),
            "unready": unready,
            "writes": len(audit.since(offset, here.account.username)),
            "reconciles": metric(operator, 't2i_operator_reconciles_total{result="success"}'),
            "before": before,
            "after": _state(operator),
            "resident_mib_each_half_minute": resident,
        }
    finally:
        await asyncio.to_thread(operator.stop)
    figures["afresh"] = await phases.restart(here, namespace, COUNT, RESYNC_SECONDS / 2)
    figures["orphans"] = await _orphans(stage)
    return figures | {"left": list(_left(figures))}


async def _live(
    stage: _Stage, subjects: list[Subject], seconds: float, look: Callable[[], None] | None = None
) -> dict[str, int]:
    """Let people act, each on resources of their own; count what they did."""
    end, acts = time.monotonic() + seconds, Counter[str]()

    async def person(own: list[Subject]) -> None:
        # By turns, so that nobody deletes or edits one object so often that the operator gives way: contest.py.
        children = list(product(own, phases.REPAIRED))
        stage.chance.shuffle(children)
        breakable = cycle(children)
        while time.monotonic() < end:
            acts[await _act(stage, stage.chance.choice(own), breakable)] += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def watch() -> None:
        while look is not None:
            await asyncio.sleep(LOOK_SECONDS)
            look()

    watching = asyncio.create_task(watch())
    async with asyncio.TaskGroup() as people:
        for number in range(PEOPLE):
            people.create_task(person(subjects[number::PEOPLE]))
    watching.cancel()
    return dict(acts)


async def _act(stage: _Stage, subject: Subject, breakable: Iterator[tuple[Subject, tuple[str, str, str]]]) -> str:
    """Do one thing to a resource or a child; what is not there just now cannot be broken."""
    itself = f"{SERVICES.format(stage.namespace)}/{subject.name}"
    what = stage.chance.choices(("edit", "edit a child", "delete a child", "delete and create"), (5, 3, 3, 1))[0]
    try:
        if what == "edit":
            edit = {"spec": stage.chance.choice(EDITS)}
            await ask(stage.admin, "PATCH", itself, edit, "merge-patch+json")
        elif what.endswith("a child"):
            owner, (root, plural, suffix) = next(breakable)
            child = f"{root}/namespaces/{stage.namespace}/{plural}/{owner.name}{suffix}"
            if what == "edit a child":
                await ask(stage.admin, "PATCH", child, phases.EDIT, "merge-patch+json")
            else:
                await ask(stage.admin, "DELETE", child, {"propagationPolicy": "Background"})
        else:
            await ask(stage.admin, "DELETE", itself, {"propagationPolicy": "Background"})
            await stage.here.resource(stage.admin, stage.namespace, subject.name, stage.here.account.class_name)
    except RefusedError as refused:
        return f"{what}: {refused.status}"
    return what


async def _all_well(stage: _Stage) -> int:
    """Give all resources a spec that can be Ready, and wait until they are; return how many are not."""
    for item in (await ask(stage.admin, "GET", SERVICES.format(stage.namespace)))["items"]:
        path = f"{SERVICES.format(stage.namespace)}/{item['metadata']['name']}"
        await ask(stage.admin, "PATCH", path, {"spec": {"credentials": None}}, "merge-patch+json")

    async def unready() -> int:
        return COUNT - await phases.ready(stage.admin, stage.namespace)

    return await _nought(unready)


async def _nought(count: Callable[[], Awaitable[int]]) -> int:
    """Wait until there are none, or a minute; return how many there are."""
    end = time.monotonic() + SETTLE_SECONDS
    while (left := await count()) and time.monotonic() < end:  # noqa: ASYNC110 - the cluster tells nobody
        await asyncio.sleep(0.5)
    return left


def _state(operator: OperatorProcess) -> dict[str, float]:
    return {
        "descriptors": len(list(Path(f"/proc/{operator.pid}/fd").iterdir())),
        "queue_depth": metric(operator, "t2i_operator_queue_depth"),
        "resources": metric(operator, 't2i_operator_resources{condition="Ready",status="True"}'),
    }


async def _orphans(stage: _Stage) -> int:
    """Count children whose owner is gone, once the garbage collector has had its time."""

    async def count() -> int:
        items = (await ask(stage.admin, "GET", SERVICES.format(stage.namespace)))["items"]
        living, orphans = {item["metadata"]["uid"] for item in items}, 0
        for root, plural in {(root, plural) for root, plural, _ in phases.REPAIRED}:
            for child in (await ask(stage.admin, "GET", f"{root}/namespaces/{stage.namespace}/{plural}"))["items"]:
                owners = child["metadata"].get("ownerReferences", [])
                orphans += any(owner["uid"] not in living for owner in owners if owner["kind"] == "TextToImageService")
        return orphans

    return await _nought(count)


def _left(figures: dict[str, Any]) -> Iterator[str]:
    before, after, resident = figures["before"], figures["after"], figures["resident_mib_each_half_minute"]
    if after["descriptors"] > before["descriptors"] + SPARE_DESCRIPTORS:
        yield "descriptors"
    if after["queue_depth"]:
        yield "a queue"
    if figures["unready"] or after["resources"] != COUNT:
        yield "resources that are not Ready"
    if figures["afresh"]["writes_over_two_resyncs"]:
        yield "differences that only a new operator found"
    if figures["orphans"]:
        yield "children of resources that are gone"
    if len(resident) >= 6 and max(resident[-2:]) > MEMORY_GROWTH * max(resident[1:3]):
        yield "memory"


async def _soak(minutes: float) -> dict[str, Any]:
    with scene() as here:
        async with session(here.layout.kubeconfig) as admin:
            return {"image": image.described("operator"), **await soak(here, admin, minutes)}


def main() -> int:
    """Return 1 when something is left over, or, after a sentence, when the cluster does not come up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    try:
        figures = asyncio.run(_soak(options.minutes))
    except UnfitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(figures, indent=1), f"\nwritten to {save('soak-operator', figures)}")
    return 1 if figures["left"] else 0


if __name__ == "__main__":
    sys.exit(main())
