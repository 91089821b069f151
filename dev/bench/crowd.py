"""Objects that are none of the operator's business: they must cost it nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dev.bench.client import ask, side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator

    import aiohttp

SECRETS, PODS = 30_000, 10_000


async def gather(admin: aiohttp.ClientSession, namespace: str) -> None:
    """Make them; a gate keeps the Pods from ever being scheduled."""
    await side_by_side(partial(_make, admin, namespace, *each) for each in _objects())


def _objects() -> Iterator[tuple[str, dict[str, Any]]]:
    for number in range(SECRETS):
        yield "secrets", {"metadata": {"name": f"crowd-{number}"}, "stringData": {"text": "x" * 1024}}
    spec = {"schedulingGates": [{"name": "example.com/never"}], "containers": [{"name": "c", "image": "none"}]}
    for number in range(PODS):
        yield "pods", {"metadata": {"name": f"crowd-{number}"}, "spec": spec}


async def _make(admin: aiohttp.ClientSession, namespace: str, plural: str, body: dict[str, Any]) -> None:
    await ask(admin, "POST", f"/api/v1/namespaces/{namespace}/{plural}", body)
