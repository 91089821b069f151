"""What is measured of the operator, one function for each row of the table in docs/performance.md."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from functools import partial
from itertools import cycle
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import httpx

from dev.bench.client import ask, session
from dev.bench.measure import cpu_seconds, memory
from dev.bench.recorder import Exchange, Recorder, Subject, replay
from dev.bench.scene import SERVICES, Scene
from tests.cluster.operators import OperatorAccount, OperatorProcess, metric

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Sequence

    import aiohttp

    from dev.bench.audit import Write

QUIET_SECONDS = 3.0
ADMINISTRATOR = "kubernetes-admin"
_CORE, _NETWORKING, _MONITORING = "/api/v1", "/apis/networking.k8s.io/v1", "/apis/monitoring.coreos.com/v1"
REPAIRED = (
    ("/apis/apps/v1", "deployments", ""),
    (_CORE, "services", "-service"),
    (_CORE, "serviceaccounts", ""),
    (_CORE, "configmaps", "-config"),
    (_NETWORKING, "ingresses", ""),
    (_NETWORKING, "networkpolicies", ""),
    (_MONITORING, "servicemonitors", "-monitor"),
    (_MONITORING, "prometheusrules", "-alerts"),
)
EDIT = {"metadata": {"labels": {"app.kubernetes.io/component": "edited"}}}


async def record(scene: Scene, admin: aiohttp.ClientSession) -> tuple[list[Exchange], Subject]:
    """Let an operator converge one resource through the recorder; return what it asked for."""
    recorder = Recorder(scene.account.kubeconfig)
    account = OperatorAccount(*scene.account)._replace(kubeconfig=await recorder.start())
    operator = account.process("recorded")
    namespace = scene.namespace("recorded")
    try:
        await asyncio.to_thread(started, operator)
        offset = scene.audit(namespace).now()
        (subject,) = await scene.resources(admin, namespace, 1, account.class_name)
        await scene.audit(namespace).quiet(offset, account.username, QUIET_SECONDS)
        await _all_ready(operator, 1)
        return recorder.about(subject.name), subject
    finally:
        await asyncio.to_thread(operator.stop)
        await recorder.stop()
        await asyncio.to_thread(scene.gone, namespace)


async def bare(
    scene: Scene, admin: aiohttp.ClientSession, recorded: tuple[list[Exchange], Subject], count: int, name: str
) -> dict[str, Any]:
    """Send the same requests for other resources from a client that does nothing else."""
    exchanges, model = recorded
    namespace = scene.namespace(name)
    others = await scene.resources(admin, namespace, count, "nobody")
    async with session(scene.account.kubeconfig) as client:
        done = await replay(client, exchanges, model, others)
    await asyncio.to_thread(scene.gone, namespace)
    return {
        "resources": count,
        "seconds": round(done.seconds, 2),
        "resources_per_second": round(count / done.seconds, 2),
        "requests_per_second": round(done.requests / done.seconds, 1),
        "cpu_ms_per_resource": round(1000 * done.cpu_seconds / count, 1),
    }


async def converge(scene: Scene, operator: OperatorProcess, namespace: str, count: int) -> dict[str, Any]:
    """Start the operator beside resources that nobody has looked at yet; the end is its last write."""
    audit, began = scene.audit(namespace), time.time()
    offset = audit.now()
    await asyncio.to_thread(started, operator)
    asked = _requests(operator)
    leading = datetime.fromisoformat(operator.events('"event": "leading"')[-1]["timestamp"]).timestamp()
    await _all_ready(operator, count, pause=QUIET_SECONDS)
    writes = await audit.quiet(offset, scene.account.username, QUIET_SECONDS)
    seconds, requests = writes[-1].at - leading, {k: v - asked.get(k, 0) for k, v in _requests(operator).items()}
    held = memory(operator.pid)
    return {
        "resources": count,
        "start_to_leading_seconds": round(leading - began, 2),
        "seconds": round(seconds, 2),
        "resources_per_second": round(count / seconds, 2),
        "requests_per_second": round(sum(requests.values()) / seconds, 1),
        "requests_per_resource": {name: round(number / count, 2) for name, number in sorted(requests.items())},
        "writes_per_resource": round(len(writes) / count, 2),
        "cpu_ms_per_resource": round(1000 * cpu_seconds(operator.pid) / count, 1),
        "peak_rss_mib": held.peak,
        "rss_mib": held.now,
    }


async def repairs(
    scene: Scene, admin: aiohttp.ClientSession, subjects: Sequence[Subject], samples: int, verb: str
) -> dict[str, Any]:
    """Delete or edit one child after another; the API server's record has both times."""
    audit, seconds = scene.audit(subjects[0].namespace), list[float]()
    for (root, plural, suffix), subject in zip(cycle(REPAIRED), cycle(subjects), strict=False):
        if len(seconds) == samples:
            break
        name, offset = subject.name + suffix, audit.now()
        path = f"{root}/namespaces/{subject.namespace}/{plural}/{name}"
        body = EDIT if verb == "patch" else {"propagationPolicy": "Background"}
        await ask(admin, verb.upper(), path, body, "merge-patch+json" if verb == "patch" else "json")
        ours = await audit.first(offset, partial(_is, ADMINISTRATOR, plural, name))
        theirs = await audit.first(offset, partial(_is, scene.account.username, plural, name))
        seconds.append(theirs.at - ours.at)
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"samples": samples, "p50_ms": round(1000 * cuts[49]), "p99_ms": round(1000 * cuts[98])}


async def restart(scene: Scene, namespace: str, count: int, resync_seconds: float) -> dict[str, Any]:
    """Start again beside resources that are in order; count the writes of the first look and of two resyncs."""
    audit, operator = scene.audit(namespace), scene.account.process("restarted", resync_seconds=resync_seconds)
    offset, began = audit.now(), time.monotonic()
    try:
        await asyncio.to_thread(started, operator)
        leading = time.monotonic()
        await _all_ready(operator, count)
        observed, looked = time.monotonic(), _reconciled(operator)
        await _reached(lambda: _reconciled(operator) >= looked + 2 * count)
        held = memory(operator.pid)
    finally:
        await asyncio.to_thread(operator.stop)
    return {
        "start_to_leading_seconds": round(leading - began, 2),
        "start_to_all_observed_seconds": round(observed - began, 2),
        "writes_over_two_resyncs": len(audit.since(offset, scene.account.username)),
        "peak_rss_mib": held.peak,
        "idle_rss_mib": held.now,
    }


async def handover(
    scene: Scene, admin: aiohttp.ClientSession, subject: Subject, samples: int, number: signal.Signals
) -> dict[str, Any]:
    """End the leader of two by a signal and delete a child; the end is its repair by the other."""
    audit, seconds = scene.audit(subject.namespace), list[float]()
    path = f"{_CORE}/namespaces/{subject.namespace}/configmaps/{subject.name}-config"
    for _ in range(samples):
        leader, follower = scene.account.process("leader"), scene.account.process("follower")
        try:
            await asyncio.to_thread(started, leader)
            await asyncio.to_thread(follower.start)
            await _reached(partial(_stands_by, follower))
            offset, began = audit.now(), time.time()
            leader.send(number)
            await ask(admin, "DELETE", path, {"propagationPolicy": "Background"})
            user, name = scene.account.username, f"{subject.name}-config"
            repaired = await audit.first(offset, partial(_is, user, "configmaps", name), patience=60)
            seconds.append(repaired.at - began)
        finally:
            await asyncio.to_thread(leader.stop)
            await asyncio.to_thread(follower.stop)
    return {"samples": samples, "median_seconds": round(median(seconds), 2), "longest_seconds": round(max(seconds), 2)}


async def ready(admin: aiohttp.ClientSession, namespace: str) -> int:
    """Count the resources whose status says, of the newest generation, that they are Ready."""
    items = (await ask(admin, "GET", SERVICES.format(namespace)))["items"]
    return sum(
        any((c["type"], c["status"]) == ("Ready", "True") for c in item.get("status", {}).get("conditions", []))
        and item["status"]["observedGeneration"] == item["metadata"]["generation"]
        for item in items
    )


def started(operator: OperatorProcess) -> None:
    """Start it and wait until it leads."""
    operator.start()
    operator.wait_until_leading()


def _stands_by(operator: OperatorProcess) -> bool:
    try:
        return operator.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _is(user: str, plural: str, name: str, write: Write) -> bool:
    return (write.user, write.resource, write.name) == (user, plural, name) and write.code < 300


def _reconciled(operator: OperatorProcess) -> float:
    return metric(operator, 't2i_operator_reconciles_total{result="success"}')


def _requests(operator: OperatorProcess) -> dict[str, float]:
    """Return how often it asked the API server, by verb, streams and the Lease aside."""
    verbs = ("get", "patch", "post", "delete")
    counted: dict[str, float] = dict.fromkeys(verbs, 0.0)
    for line in operator.get("/metrics").text.splitlines():
        if line.startswith("t2i_operator_api_requests_total{"):
            verb = line.partition('verb="')[2].partition('"')[0]
            counted[verb] = counted.get(verb, 0.0) + float(line.rpartition(" ")[2])
    return {verb: counted[verb] for verb in verbs}


async def _all_ready(operator: OperatorProcess, count: int, pause: float = 0.5) -> None:
    """Wait; each look costs the operator and whoever looks some time, so look seldom where time is taken otherwise."""
    series = 't2i_operator_resources{condition="Ready",status="True"}'
    await _reached(lambda: metric(operator, series) >= count, pause)


async def _reached(condition: Callable[[], bool], pause: float = 0.5, patience: float = 900.0) -> None:
    async with asyncio.timeout(patience):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(pause)
