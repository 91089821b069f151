"""Who asks how a generation stands, or has it stopped: so many at once, and nothing that costs money is forgotten."""

from __future__ import annotations

import asyncio
import gc
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from t2i_service.app import create_app, create_state
from t2i_service.callers import concurrency_limit, image_links
from t2i_service.callers.keyring import Reference
from t2i_service.observing.privacy import Privacy
from t2i_service.providers.base import Prediction, Status, unbounded
from t2i_service.providers.upstream_errors import UpstreamError, UpstreamUnauthorizedError
from t2i_service.settings import Settings

from tests.unit.service.running import HeldProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from t2i_service.providers.base import Image

ASKED = {"reads": ("GET", ""), "cancels": ("POST", "/cancel")}


@dataclass
class Slow(HeldProvider):
    """Answers what it is asked when it is let."""

    answers: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: UpstreamError | None = None

    async def get(self, label: str, prediction_id: str) -> Prediction:
        await self.answers.wait()
        return await super().get(label, prediction_id)

    async def cancel(self, label: str, prediction_id: str, deadline: float = 0.0) -> Prediction:
        await self.answers.wait()
        if self.refusal:
            raise self.refusal
        return await super().cancel(label, prediction_id, deadline)


class Application:
    """The application, with one slot for each kind of question, and one more caller who may wait for it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(concurrency_limit, "AT_ONCE", 1)
        monkeypatch.setattr(concurrency_limit, "MAX_WAITING", 1)
        monkeypatch.setattr(concurrency_limit, "WAIT_SECONDS", 0.6)
        models = folder / "models.json"
        models.write_text('{"models": [{"name": "sdxl", "provider": "Sandbox"}]}')
        settings = Settings(models_file=models, replicate_api_token=SecretStr("r8_token"))
        self.state, self.provider = create_state(settings, Privacy(200)), Slow()
        self.state.providers = {"Replicate": self.provider}
        self._app = create_app(self.state)
        reference = Reference("gone", "replicate", "p1", 1, "", "", "request", int(time.time()) + 60, "")
        generation_id = self.state.keyring.id_of(reference)
        self._path = f"/generations/{generation_id}"
        self.query = f"signature={self.state.keyring.signature(generation_id, 0)}".encode()

    async def ask(self, kind: str, leaves: asyncio.Event | None = None) -> tuple[int, dict[bytes, bytes]]:
        """Return status and headers; the caller goes when it `leaves`."""
        method, end = ASKED.get(kind, ("GET", kind))
        messages: list[Any] = [{"type": "http.request", "body": b""}]
        scope = {"type": "http", "method": method, "path": self._path + end, "query_string": self.query, "headers": []}

        async def receive() -> Any:
            if not messages:
                await (leaves or asyncio.Event()).wait()
                return {"type": "http.disconnect"}
            return messages.pop()

        answer: list[Any] = []

        async def send(message: Any) -> None:
            answer.append(message)

        await self._app(scope, receive, send)
        return answer[0]["status"], dict(answer[0]["headers"])

    def refused(self, kind: str) -> float | None:
        return self.state.metrics.registry.get_sample_value("t2i_generations_rejected_total", {"reason": kind})


def told_of(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    """Return model, id and code of each prediction that may run on."""
    told = [line for line in lines if line["event"].startswith("Prediction not canceled")]
    return [(line["model"], line["prediction_id"], line["code"]) for line in told]


@pytest.mark.parametrize("kind", sorted(ASKED))
async def test_who_gets_no_place_is_told_when_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    service = Application(tmp_path, monkeypatch)
    inside, *others = (asyncio.ensure_future(service.ask(kind)) for _ in range(3))
    for status, headers in await asyncio.gather(*others):
        assert (status, headers[b"retry-after"]) == (503, b"1")
    assert service.refused(kind) == 2
    service.provider.answers.set()
    assert (await inside)[0] == 200
    assert (await service.ask(kind))[0] == 200


async def test_a_cancel_without_a_place_is_told_to_those_who_pay_though_its_caller_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, leaves, forgotten = Application(tmp_path, monkeypatch), asyncio.Event(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: forgotten.append(trouble))
    leaves.set()
    with capture_logs() as lines:
        inside = asyncio.ensure_future(service.ask("cancels"))
        while service.state.background.count("cancel") < 1:  # noqa: ASYNC110 - what runs is the condition
            await asyncio.sleep(0)
        assert (await service.ask("cancels", leaves))[0] == 499
        while service.state.background.count("cancel") > 1:  # noqa: ASYNC110 - what runs is the condition
            await asyncio.sleep(0.01)
        service.provider.answers.set()
        assert (await inside)[0] == 200
    assert told_of(lines) == [("gone", "p1", "overloaded")]
    assert service.provider.canceled == ["p1"]
    gc.collect()
    assert forgotten == []


async def test_a_cancel_that_fails_names_the_model_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Application(tmp_path, monkeypatch)
    service.provider.refusal = UpstreamUnauthorizedError("The token is refused.")
    service.provider.answers.set()
    with capture_logs() as lines:
        assert (await service.ask("cancels"))[0] == 502
    assert told_of(lines) == [("gone", "p1", "provider_unauthorized")]


async def test_an_image_that_does_not_come_in_time_is_an_error_of_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_links, "FETCH_SECONDS", 0.05)
    service = Application(tmp_path, monkeypatch)
    assert (await service.ask("/images/0"))[0] == 502
    counted = service.state.metrics.registry.get_sample_value
    assert counted("t2i_model_upstream_errors_total", {"model": "other", "reason": "cut"}) == 1


async def test_an_image_that_finds_no_room_is_refused_and_no_error_of_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(Slow):
        async def get(self, _label: str, prediction_id: str) -> Prediction:
            return Prediction(prediction_id, Status.SUCCEEDED, outputs=("a.png",))

        async def fetch(
            self, _label: str, _prediction: Prediction, _index: int, claim: Callable[[int], object] = unbounded
        ) -> Image:
            claim(1)
            raise NotImplementedError

    monkeypatch.setattr(image_links, "ROOM_SECONDS", 0.05)
    monkeypatch.setattr(image_links, "POD_BYTES", 0)
    service = Application(tmp_path, monkeypatch)
    service.state.providers = {"Replicate": Full()}
    status, headers = await service.ask("/images/0")
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert service.refused("image_links") == 1
    assert not service.state.metrics.registry.get_sample_value(
        "t2i_model_upstream_errors_total", {"model": "other", "reason": "cut"}
    )
