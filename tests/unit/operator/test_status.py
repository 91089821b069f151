"""The status beside its conditions."""

from typing import Any

import pytest
from t2i_operator.builders.environment import environment
from t2i_operator.known.faults import APPLY_FAILED
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import SERVICE
from t2i_operator.naming import Key
from t2i_operator.status.status import status

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


SERVES_AT = {"endpoint": "http://pictures-service.studio.svc:8080", "tracesEndpoint": ELSEWHERE}
UNREADABLE = Outcome(generation=2, invalid="spec.models: Is required")
REFUSED = Outcome(generation=2, invalid="spec.podTemplate: no pod", resource=resource(service={"port": 90}))
PAUSED = Outcome(generation=2, resource=resource(service={"port": 90}, paused=True))
CUT_SHORT = Outcome(generation=2, resource=resource(service={"port": 90}), failure="no answer in time")
UNPLACED = Outcome(generation=2, resource=resource(service={"port": 90}))
STOPPED = Outcome(generation=2, resource=resource(service={"port": 90}))
STOPPED.skip_rest([Id(SERVICE, "studio", "pictures-service")], ApiError(503, "ServiceUnavailable", "shutting down"))
UNPLACED.failed(Id(SERVICE, "studio", "pictures-service"), APPLY_FAILED, ApiError(403, "Forbidden", "exceeded quota"))


@pytest.mark.parametrize(
    "outcome",
    [UNREADABLE, REFUSED, PAUSED, CUT_SHORT, STOPPED, UNPLACED],
    ids=["unreadable", "refused", "paused", "cut short", "stopped", "unplaced"],
)
def test_what_is_not_carried_out_moves_no_endpoint(outcome: Outcome) -> None:
    said = status(Key("studio", "pictures"), outcome, [], SERVES_AT, "now")
    assert {name: said.get(name) for name in SERVES_AT} == SERVES_AT
    del said["endpoint"]  # as if others had taken it over, so that it is not ours any more
    again = status(Key("studio", "pictures"), outcome, [], said, "now").get("endpoint")
    assert again == (None if outcome.resource is None else "http://pictures-service.studio.svc:90")


def test_a_service_that_never_was_is_said_to_answer_nowhere() -> None:
    assert "endpoint" not in status(Key("studio", "pictures"), UNREADABLE, [], {}, "now")
