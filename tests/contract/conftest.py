"""The service as a process of its own, and what it talks to on real sockets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.processes import RunningService, running_service, serving
from tests.fakes.replicate import TOKEN, VERSION, FakeReplicate, Knobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SANDBOX = {"name": "sdxl", "provider": "Sandbox"}
SDXL = {
    "name": "sdxl",
    "provider": "Replicate",
    "version": f"stability-ai/sdxl:{VERSION}",
    "timeoutSeconds": 20,
    "price": {"perSecond": "0.000975", "currency": "USD"},
}


@pytest.fixture(scope="session")
def replicate_server() -> Iterator[FakeReplicate]:
    fake = FakeReplicate()
    with serving(fake.app) as url:
        fake.base_url = url
        yield fake


@pytest.fixture
def replicate(replicate_server: FakeReplicate) -> FakeReplicate:
    """Return the fake of Replicate, as new."""
    replicate_server.knobs = Knobs()
    replicate_server.predictions.clear()
    replicate_server.requests.clear()
    return replicate_server


@pytest.fixture(scope="module")
def start(
    tmp_path_factory: pytest.TempPathFactory, replicate_server: FakeReplicate
) -> Iterator[Callable[..., RunningService]]:
    """Start the service with these models and this environment; it lives as long as the test module."""
    stack = []

    def begin(*models: dict[str, Any], **environment: str) -> RunningService:
        file: Path = tmp_path_factory.mktemp("models") / "models.json"
        file.write_text(json.dumps({"models": models or [SANDBOX]}))
        defaults = {
            "T2I_MODELS_FILE": str(file),
            "T2I_REPLICATE_API_URL": replicate_server.base_url,
            "REPLICATE_API_TOKEN": TOKEN,
        }
        context = running_service(defaults | environment)
        service = context.__enter__()
        stack.append(context)
        return service

    yield begin
    for context in stack:
        context.__exit__(None, None, None)


@pytest.fixture(scope="module")
def sandbox(start: Callable[..., RunningService]) -> RunningService:
    """One service with one sandbox model, shared by the module."""
    return start(SANDBOX)


@pytest.fixture(scope="module")
def paid(start: Callable[..., RunningService]) -> RunningService:
    """One service with SDXL on the fake of Replicate, shared by the module."""
    return start(SDXL)
