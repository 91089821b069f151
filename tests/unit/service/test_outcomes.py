"""What a failed prediction's words mean: a refusal is the prompt's, and everything else is a failure to be counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from t2i_service.errors import GenerationCanceledError, GenerationFailedError, GenerationRefusedError
from t2i_service.generating.outcomes import error_of
from t2i_service.providers.base import Prediction, Status

from tests.unit.service.running import MODEL, TASK, HeldProvider, Running


@pytest.mark.parametrize(
    "said",
    [
        "NSFW content detected. Try running it again, or try a different prompt.",
        "NSFW content detected in all outputs, please try a different prompt",
        "All generated images contained NSFW content. Try running it again with a different prompt.",
        "Potential NSFW content was detected in one or more images. A black image will be returned instead.",
        "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
        "Prediction failed: E005",
        "Content was flagged by the safety system. Try different prompts or inputs.",
        "Your request was rejected by our content moderation.",
        "Blocked by the safety filter",
        "The safety filter was triggered.",
        "Your prompt violates the content policy",
        "content policy violation",
        "Prompt contains sensitive words",
        "nsfw: 'a lighthouse'",
        "NSFW",
        "NSFW content is not allowed",
        "Your request was rejected as a result of our safety system. Your prompt may contain text that is not allowed.",
        "Request Moderated",
        "Content flagged for: sexual, violence",
        "The prompt was blocked by Google's safety filters",
        "The image did not pass the safety check.",
    ],
)
def test_a_refusal_is_told_from_what_models_say(said: str) -> None:
    assert isinstance(error_of(Prediction("p", Status.FAILED, error=said), 120), GenerationRefusedError)


@pytest.mark.parametrize(
    "said",
    [
        "Failed to load safety_checker/model.safetensors: connection reset",
        "KeyError: case-insensitive",
        "HTTP 500 from content moderation service",
        "The moderation service timed out",
        "No module named 'nsfw_detector'",
        "Failed to load the NSFW content classifier",
        "safety filter: CUDA out of memory",
        "The worker was flagged for preemption",
        "FE0051 while decoding",
        "memory access violation in the policy of /usr/lib/libcuda.so",
        "CUDA out of memory",
        "NSFW checker could not be loaded",
        "NSFW content checker could not be loaded",
        "NSFW filter model: CUDA out of memory",
        "The download was blocked by content delivery network",
        "",
    ],
)
def test_a_failure_that_speaks_of_safety_is_a_failure(said: str) -> None:
    assert isinstance(error_of(Prediction("p", Status.FAILED, error=said), 120), GenerationFailedError)


@pytest.mark.parametrize(
    ("took", "timeout", "code", "told"),
    [
        (119.8, 120, "generation_timeout", "at its time-out of 120 s"),
        (121.0, 120, "generation_timeout", "at its time-out of 120 s"),
        (90.0, 120, "generation_canceled", "by a caller, or by its time-out"),
        (59.0, 120, "generation_canceled", "at the provider."),
        (None, 120, "generation_canceled", "by a caller, or by its time-out"),
        (119.8, None, "generation_canceled", "by a caller, or by its time-out"),
    ],
)
def test_a_time_out_is_told_from_a_callers_cancel(
    took: float | None, timeout: float | None, code: str, told: str
) -> None:
    error = error_of(Prediction("p", Status.CANCELED, total_seconds=took), timeout)
    assert error is not None
    assert error.code == code
    assert told in error.detail


class CanceledLate(HeldProvider):
    """Says that somebody has canceled it just before its time-out."""

    async def wait(self, _label: str, prediction: Prediction, _deadline: float) -> Prediction:
        return replace(prediction, status=Status.CANCELED, total_seconds=0.96 * MODEL.timeout_seconds)


async def test_who_waits_for_the_end_hears_of_a_callers_cancel_however_late() -> None:
    running = Running(CanceledLate())
    with pytest.raises(GenerationCanceledError):
        await running.generator.generate(TASK)
    assert running.metrics.registry.get_sample_value("image_generation_total", {"status": "canceled"}) == 1
