"""Work in flight survives what a cluster does to pods, and the operator survives what a cluster does to it."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.e2e.subject import SANDBOX, Subject, until

# Longer than the 30 s that Kubernetes gives a pod by itself, also from when a rollout has come to it.
SLOW = {"models": [{"name": "sdxl", "provider": "Sandbox", "timeoutSeconds": 90, "sandbox": {"latency": "45s"}}]}
OPERATOR = ("-n", "text-to-image-system", "-l", "app.kubernetes.io/name=text-to-image-operator")


def in_flight(subject: Subject) -> int:
    text = httpx.get(f"{subject.url()}/metrics", timeout=5).text
    (line,) = [line for line in text.splitlines() if line.startswith("active_requests ")]
    return int(float(line.split()[1]))


def rests(subject: Subject) -> bool:
    """Tell whether nothing is in flight wherever the Service leads: of two pods, each is met by chance."""
    return all(in_flight(subject) == 0 for _ in range(5))


def drain_of(subject: Subject, node: str) -> None:
    """Drain the node of this service alone: the rest of the cluster is not what is tested."""
    selector = f"--pod-selector={subject.selector}"
    subject.kubectl("drain", node, selector, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=180s")


@pytest.mark.timeout(600)
def test_a_long_generation_survives_a_rollout_and_a_drain(subject: Subject, node: str) -> None:
    subject.apply(SLOW)
    subject.ready()
    before = subject.pod_uids()
    with ThreadPoolExecutor() as threads:
        first = threads.submit(subject.generate, width=64, height=64)
        until(lambda: in_flight(subject) == 1, "the request to be in flight")
        subject.kubectl("rollout", "restart", f"deployment/{subject.name}", "-n", subject.namespace)
        subject.ready()
        until(lambda: not before & subject.pod_uids(), "the old pod to be on its way out")
        assert not first.done(), "the request ended before the rollout did, and shows nothing"
        until(lambda: rests(subject), "the Service to lead to the new pod alone")
        second = threads.submit(subject.generate, width=64, height=64)
        until(lambda: in_flight(subject) == 1, "the second request to be in flight")
        drained = subject.pod_uids()
        drain = threads.submit(drain_of, subject, node)
        try:
            until(lambda: not drained & subject.pod_uids(), "the drained pod to be on its way out")
        finally:
            subject.kubectl("uncordon", node)
        drain.result()
        for answer in (first.result(), second.result()):
            assert answer.status_code == 200, answer.text
    subject.ready()


def test_thousands_of_requests_during_a_rollout_see_no_failure(subject: Subject) -> None:
    """Ask over new connections and over ones kept alive until the old pods are gone, not just on their way out."""
    subject.apply({**SANDBOX, "replicas": 2})
    subject.ready()
    url, before = f"{subject.url()}/generate", subject.pod_uids()
    subject.kubectl("rollout", "restart", f"deployment/{subject.name}", "-n", subject.namespace)

    def rolled() -> bool:
        return not before & subject.all_uids() and subject.condition("Ready")["status"] == "True"

    async def load(rollout: asyncio.Task[bool], kept_alive: int) -> list[str]:
        """Send ten at a time until the rollout is over, and a thousand at least."""
        sent, failures = 0, []

        async def one(client: httpx.AsyncClient, number: int) -> None:
            said = f"{number}, {kept_alive} kept alive"
            try:
                answer = await client.post(url, json={"prompt": f"request {number}", "width": 64, "height": 64})
                if answer.status_code != 200:
                    failures.append(f"{said}: {answer.status_code} {answer.text}")
            except httpx.HTTPError as error:
                failures.append(f"{said}: {error!r}")

        limits = httpx.Limits(max_keepalive_connections=kept_alive)
        async with httpx.AsyncClient(limits=limits, timeout=30) as client:
            while sent < 1000 or not rollout.done():
                await asyncio.gather(*(one(client, sent + offset) for offset in range(10)))
                sent += 10
                await asyncio.sleep(0.1)  # a machine that is all taken up rolls nothing
        return failures

    async def both() -> list[str]:
        rollout = asyncio.create_task(asyncio.to_thread(until, rolled, "the old pods to be gone", 180))
        failures = await asyncio.gather(*(load(rollout, kept_alive) for kept_alive in (0, 10)))
        assert await rollout
        return [*failures[0], *failures[1]]

    assert asyncio.run(both()) == []


def test_an_edit_made_while_the_operator_is_dead_arrives(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    subject.kubectl("delete", "pod", *OPERATOR, "--force", "--grace-period=0", "--wait=false")
    subject.patch({"spec": {"replicas": 2, "logging": {"level": "WARNING"}}})
    subject.ready(180)
    deployment = subject.get("deployment", subject.name)
    assert deployment["spec"]["replicas"] == 2
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"name": "LOG_LEVEL", "value": "WARNING"} in container["env"]


def test_deletion_needs_no_operator(subject: Subject) -> None:
    subject.apply(SANDBOX)
    subject.ready()
    subject.kubectl("scale", "deployment/text-to-image-operator", "-n", "text-to-image-system", "--replicas=0")
    try:
        gone = ("get", "pods", *OPERATOR, "-o", "json")
        until(lambda: json.loads(subject.kubectl(*gone))["items"] == [], "the operator to be gone")
        subject.kubectl("delete", "t2i", subject.name, "-n", subject.namespace, "--timeout=20s")
        until(lambda: not subject.get("deployment", subject.name), "the Deployment to be collected")
    finally:
        subject.kubectl("scale", "deployment/text-to-image-operator", "-n", "text-to-image-system", "--replicas=1")
        subject.kubectl("rollout", "status", "deployment/text-to-image-operator", "-n", "text-to-image-system")
