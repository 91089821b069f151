"""The Jaeger of a service as people ask it: its own API, on the address of its Service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.e2e.subject import Subject


def jaeger(subject: Subject, path: str, **query: Any) -> Any:
    """Return the data of a page."""
    address = subject.get("service", f"{subject.name}-jaeger-query")["spec"]["clusterIP"]
    answer = httpx.get(f"http://{address}:16686/api/{path}", params=query, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def traces_of(subject: Subject, request_id: str) -> list[dict[str, Any]]:
    """Return the traces of a request: one, once it has arrived."""
    tags = f'{{"request_id":"{request_id}"}}'
    found: list[dict[str, Any]] = jaeger(subject, "traces", service=subject.name, tags=tags)
    return found
