"""What is read of a request with more fields than any has."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from t2i_service.offer.api import MOST_FIELDS, GenerateRequest, Sent
from t2i_service.routes.feedback import Feedback
from t2i_service.routes.openai import ImagesRequest
from t2i_service.web.problems import MAX_ERRORS


@pytest.mark.parametrize("sent", [GenerateRequest, ImagesRequest, Feedback], ids=lambda kind: kind.__name__)
def test_known_fields_are_read_wherever_they_stand(sent: type[Sent]) -> None:
    """Were one of them left out among many others, it would be called missing."""
    unknown = {f"{field:x}": 0 for field in range(7000)}
    with pytest.raises(ValidationError) as refused:
        sent.model_validate(unknown | dict.fromkeys(sent.model_fields, 0))
    assert not [error for error in refused.value.errors() if error["type"] == "missing"]
    assert len(refused.value.errors()) <= MOST_FIELDS
    assert len(sent.model_fields) + MAX_ERRORS <= MOST_FIELDS
