"""The published `openai` client, sync, async and raw, finds here what it expects of the OpenAI Images API."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

from tests.contract.conftest import SANDBOX
from tests.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes.processes import RunningService
    from tests.fakes.replicate import FakeReplicate

PROMPT = "a lighthouse at dusk"


@pytest.fixture
def client(sandbox: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{sandbox.url}/v1", api_key="unused") as client:
        yield client


@pytest.fixture
def payer(paid: RunningService) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{paid.url}/v1", api_key="unused", max_retries=3) as client:
        yield client


def picture(image: Any) -> bytes:
    return base64.b64decode(image.b64_json or "")


def test_the_defaults(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt=PROMPT, model="sdxl")
    assert answer.created > 1_600_000_000
    assert answer.data is not None
    (image,) = answer.data
    assert picture(image).startswith(b"\x89PNG")
    assert picture(image)[16:24] == (1024).to_bytes(4) * 2
    assert answer.usage is None


async def test_the_async_client(sandbox: RunningService) -> None:
    async with openai.AsyncOpenAI(base_url=f"{sandbox.url}/v1", api_key="unused") as client:
        answer = await client.images.generate(prompt=PROMPT, size="128x64")
    assert answer.data is not None
    assert picture(answer.data[0])[16:24] == (128).to_bytes(4) + (64).to_bytes(4)


def test_the_raw_answer(client: openai.OpenAI) -> None:
    raw = client.images.with_raw_response.generate(prompt=PROMPT, size="64x64")
    assert raw.headers["x-request-id"]
    assert raw.parse().data


@pytest.mark.parametrize("response_format", ["b64_json", "url"])
def test_an_answer_names_its_generations(client: openai.OpenAI, sandbox: RunningService, response_format: Any) -> None:
    raw = client.images.with_raw_response.generate(prompt=PROMPT, size="64x64", n=6, response_format=response_format)
    ids = raw.headers["x-generation-id"].split(", ")
    assert len(ids) == 2
    assert raw.headers["x-sandbox"] == "true"
    for generation_id, count in zip(ids, (4, 2), strict=True):
        told = httpx.get(f"{sandbox.url}/generations/{generation_id}", trust_env=False).json()
        assert (told["status"], len(told["images"])) == ("succeeded", count)


def test_more_images_than_the_model_makes_at_once(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt=PROMPT, n=6, size="64x64", extra_body={"seed": 3})
    assert answer.data is not None
    assert len({image.b64_json for image in answer.data}) == 6


@pytest.mark.parametrize("size", ["auto", None])
def test_the_models_own_size(start: Callable[..., RunningService], size: Any) -> None:
    service = start(SANDBOX | {"defaults": {"width": 96, "height": 72}})
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="unused") as client:
        answer = client.images.generate(prompt=PROMPT, size=size)
    assert answer.data is not None
    assert picture(answer.data[0])[16:24] == (96).to_bytes(4) + (72).to_bytes(4)


def test_a_link_works_without_a_key(client: openai.OpenAI) -> None:
    answer = client.images.generate(prompt=PROMPT, size="64x64", response_format="url")
    assert answer.data is not None
    assert httpx.get(str(answer.data[0].url), trust_env=False).content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "param", "code"),
    [
        ({"quality": "hd"}, "quality", "invalid_value"),
        ({"background": "transparent"}, "background", "invalid_value"),
        ({"output_format": "webp"}, "output_format", "invalid_value"),
        ({"style": "vivid"}, "style", "unknown_parameter"),
        ({"n": 11}, "n", "invalid_value"),
        ({"size": "4096x64"}, "size", "invalid_value"),
        ({"size": "large"}, "size", "invalid_value"),
        ({"prompt": ""}, "prompt", "invalid_value"),
        ({"stream": True}, "stream", "invalid_value"),
        ({"extra_body": {"colour": "red"}}, "colour", "unknown_parameter"),
    ],
)
def test_what_is_not_supported_is_named(client: openai.OpenAI, options: dict[str, Any], param: str, code: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.images.generate(**{"prompt": PROMPT, **options})
    assert (refused.value.param, refused.value.code, refused.value.type) == (param, code, "invalid_request_error")


def test_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["sdxl"]
    assert client.models.retrieve("sdxl").owned_by == "sandbox"
    for ask in (
        lambda: client.models.retrieve("gpt-image-2"),
        lambda: client.images.generate(prompt=PROMPT, model="gpt-image-2"),
    ):
        with pytest.raises(openai.NotFoundError) as refused:
            ask()
        assert (refused.value.param, refused.value.code) == ("model", "model_not_found")


def test_a_wrong_key_and_a_used_up_rate(start: Callable[..., RunningService], tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    service = start(SANDBOX, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="1")
    with (
        openai.OpenAI(base_url=f"{service.url}/v1", api_key="wrong", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.models.list()
    assert refused.value.code == "invalid_api_key"
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="key-of-alice", max_retries=0) as alice:
        alice.images.generate(prompt=PROMPT, size="64x64")
        with pytest.raises(openai.RateLimitError) as limited:
            alice.images.generate(prompt=PROMPT, size="64x64")
    assert limited.value.code == "rate_limit_exceeded"


def test_each_prediction_of_a_request_is_of_the_keys_rate(start: Callable[..., RunningService], tmp_path: Path) -> None:
    (tmp_path / "alice").write_text("key-of-alice")
    one_by_one = SANDBOX | {"limits": {"maxOutputs": 1}}
    service = start(one_by_one, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="4")
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="key-of-alice", max_retries=0) as alice:
        alice.images.generate(prompt=PROMPT, size="64x64", n=3)
        with pytest.raises(openai.RateLimitError) as limited:
            alice.images.generate(prompt=PROMPT, size="64x64", n=3)
        assert 1 <= int(limited.value.response.headers["retry-after"]) <= 31
        # What is refused costs nothing, so the fourth is there.
        alice.images.generate(prompt=PROMPT, size="64x64")
    assert service.metric("image_generation_total", status="success") == 4


def test_more_than_a_minute_has_room_for_is_refused_for_good(
    start: Callable[..., RunningService], tmp_path: Path
) -> None:
    """A client that is told to come again would do so for ever."""
    (tmp_path / "alice").write_text("key-of-alice")
    two_by_two = SANDBOX | {"limits": {"maxOutputs": 2}}
    service = start(two_by_two, T2I_API_KEYS_DIR=str(tmp_path), T2I_REQUESTS_PER_MINUTE="3")
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="key-of-alice", max_retries=0) as alice:
        with pytest.raises(openai.BadRequestError) as refused:
            alice.images.generate(prompt=PROMPT, size="64x64", n=7)
        assert (refused.value.param, refused.value.code) == ("n", "invalid_value")
        assert "must be from 1 to 6: a key has 3 generations of 2 images a minute here" in refused.value.message
    assert service.metric("image_generation_total", status="success") == 0


def test_a_size_that_replicate_cannot_draw_is_named_and_costs_nothing(
    payer: openai.OpenAI, replicate: FakeReplicate
) -> None:
    with pytest.raises(openai.BadRequestError, match="must be a multiple of 8") as refused:
        payer.images.generate(prompt=PROMPT, size="1350x900")
    assert (refused.value.param, refused.value.code) == ("size", "invalid_value")
    assert replicate.requests == []


def test_a_failure_that_was_paid_for_is_not_retried(payer: openai.OpenAI, replicate: FakeReplicate) -> None:
    replicate.knobs.outcome = "failed"
    with pytest.raises(openai.InternalServerError) as failed:
        payer.images.generate(prompt=PROMPT)
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert (failed.value.code, failed.value.type) == ("generation_failed", "server_error")
    assert len(replicate.predictions) == 1


def test_a_failure_before_anything_was_created_is_retried(payer: openai.OpenAI, replicate: FakeReplicate) -> None:
    replicate.knobs.faults = {"create": ["402"]}
    assert payer.images.generate(prompt=PROMPT).data
    assert [kind for kind, _ in replicate.requests].count("create") == 2


def test_a_create_whose_end_is_unknown_is_sent_once(payer: openai.OpenAI, replicate: FakeReplicate) -> None:
    replicate.knobs.faults = {"created": ["cut"]}
    with pytest.raises(openai.InternalServerError) as failed:
        payer.images.generate(prompt=PROMPT)
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert [kind for kind, _ in replicate.requests].count("create") == 1


def test_a_refusal_is_the_users_to_mend(payer: openai.OpenAI, replicate: FakeReplicate) -> None:
    replicate.knobs.outcome, replicate.knobs.error = "failed", "NSFW content detected"
    with pytest.raises(openai.BadRequestError) as refused:
        payer.images.generate(prompt=PROMPT)
    assert (refused.value.code, refused.value.param) == ("content_policy_violation", "prompt")


def test_one_failing_prediction_of_several_cancels_the_others(payer: openai.OpenAI, replicate: FakeReplicate) -> None:
    replicate.knobs.predict_seconds, replicate.knobs.faults = 30, {"create": ["slow:0.1", "402"]}
    with pytest.raises(openai.InternalServerError):
        payer.with_options(max_retries=0).images.generate(prompt=PROMPT, n=8)
    wait_for(lambda: replicate.statuses() == ["canceled"])


def test_predictions_of_one_request_take_turns_where_there_is_one_slot(start: Callable[..., RunningService]) -> None:
    service = start(
        SANDBOX | {"limits": {"maxOutputs": 1}, "sandbox": {"latency": "200ms"}},
        T2I_MAX_IN_FLIGHT="1",
        T2I_MAX_QUEUED="0",
        T2I_MAX_QUEUE_SECONDS="0.1",
    )
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="unused", max_retries=0) as client:
        answer = client.images.generate(prompt=PROMPT, n=3, size="64x64")
    assert answer.data is not None
    assert len(answer.data) == 3
    assert service.metric("t2i_generations_in_flight") == service.metric("t2i_generations_queued") == 0
