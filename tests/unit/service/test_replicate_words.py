"""What Replicate's answers mean in our words."""

from __future__ import annotations

from typing import Any

import pytest
from t2i_service.providers.replicate_wire import Answer
from t2i_service.providers.replicate_words import gap_of


@pytest.mark.parametrize(
    ("metrics", "gap"),
    [
        ({"total_time": 1.03}, 0.07),
        ({}, 0.1),
        ({"total_time": "soon"}, 0.1),
        ({"total_time": 0.5}, 0.1),
        ({"total_time": 2}, 0),
    ],
)
def test_the_gap_is_from_the_end_to_the_poll_that_saw_it(metrics: dict[str, Any], gap: float) -> None:
    answer = Answer(id="p", status="succeeded", metrics=metrics)
    assert gap_of(answer, before=1.0, asked=1.1) == pytest.approx(gap)
