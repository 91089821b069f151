"""The status beside its conditions."""

from typing import Any

import pytest
from t2i_operator.builders.environment import environment
from t2i_operator.naming import Key
from t2i_operator.outcome import Outcome
from t2i_operator.status import status

from tests.unit.operator.resources import OBSERVED, resource

ELSEWHERE = "https://otlp.example.com:4317"


@pytest.mark.parametrize(
    ("tracing", "endpoint"),
    [
        ({}, "http://pictures-jaeger-collector.studio.svc:4317"),
        ({"protocol": "http/protobuf"}, "http://pictures-jaeger-collector.studio.svc:4318"),
        ({"mode": "External", "endpoint": ELSEWHERE}, ELSEWHERE),
        ({"mode": "External", "endpoint": ELSEWHERE, "tls": {}}, ELSEWHERE),
        ({"mode": "Disabled"}, None),
        ({"mode": "Disabled", "endpoint": ELSEWHERE}, None),
    ],
)
def test_where_spans_go_is_what_the_pods_are_told(tracing: dict[str, Any], endpoint: str | None) -> None:
    wanted = resource(monitoring={"tracing": tracing})
    outcome = Outcome(generation=1, resource=wanted)
    assert status(Key("studio", "pictures"), outcome, [], {}, "now").get("tracesEndpoint") == endpoint
    told = {each["name"]: each.get("value") for each in environment(wanted, "i", OBSERVED)}
    assert told.get("OTLP_ENDPOINT") == endpoint
