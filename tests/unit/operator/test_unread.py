"""A Gateway, a collector or Jaeger's Deployment that cannot be read: all else is done, and told, in the same pass."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    OPENTELEMETRY_COLLECTOR,
    Kind,
    Object,
)
from t2i_operator.naming import CREDENTIALS_CHECKSUM_ANNOTATION
from t2i_operator.reconciling import routing
from t2i_operator.reconciling.failure_grace import GRACE_SECONDS

from tests.unit.operator.harness import DEPLOYED, JAEGER, KEY, ROUTED, SERVES, Harness
from tests.unit.operator.refusals import READ_ERRORS
from tests.unit.operator.resources import UNOBSERVED

SEARCH: Object = {"serverURLs": ["http://s:9200"], "credentialsSecretRef": {"name": "search"}}
PROGRAMMED: Object = {"conditions": [{"type": "Programmed", "status": "True"}]}
GATE, ROUTE = Id(GATEWAY, KEY.namespace, "public"), Id(HTTP_ROUTE, *KEY)
ACCEPTED: Object = {
    "parents": [{"parentRef": {"name": "public"}, "conditions": [{"type": "Accepted", "status": "True"}]}]
}


async def routed(monkeypatch: pytest.MonkeyPatch) -> Harness:
    """Return a resource with a way in that works, whose Gateway is read at every look."""
    monkeypatch.setattr(routing, "_MAX_AGE_SECONDS", 0.0)
    harness = Harness(**ROUTED)
    harness.cluster.live[GATE] = {"metadata": {"generation": 1}, "status": PROGRAMMED}
    harness.say(ROUTE, ACCEPTED)
    assert (await harness.look())["RouteReady"].status == "True"
    return harness


@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: str(error.status))
async def test_pods_that_no_longer_serve_are_told_of_though_the_gateway_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    harness = await routed(monkeypatch)
    harness.cluster.refused[GATE] = error
    harness.say(DEPLOYED, {**SERVES, "availableReplicas": 0})
    for harness.now in (0.0, GRACE_SECONDS - 1):
        said = await harness.look(error)
        assert said["Available"].status == "False"
        assert said["RouteReady"].reason == "Programmed"

    harness.now = GRACE_SECONDS
    said = await harness.look(error)
    assert (said["RouteReady"].status, said["RouteReady"].reason) == ("Unknown", "NotVisible")
    assert error.message in said["RouteReady"].message

    del harness.cluster.refused[GATE]
    assert (await harness.look())["RouteReady"].reason == "Programmed"


async def test_an_edit_is_followed_though_the_gateway_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = await routed(monkeypatch)
    harness.cluster.refused[GATE] = READ_ERRORS[0]
    harness.cluster.written.clear()
    harness.edit(logging={"level": "DEBUG"})
    said = await harness.look(READ_ERRORS[0])
    assert DEPLOYED in harness.cluster.written
    assert (said["Ready"].status, said["Accepted"].status, said["Progressing"].status) == ("True", "True", "True")
    assert said["RouteReady"].reason == "Pending", "what was said of an older spec says nothing of this one"


async def test_a_way_in_is_kept_while_the_gateway_of_the_next_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_MAX_AGE_SECONDS", 0.0)
    harness = Harness(ingress={"host": "images.example.com"})
    ingress = Id(INGRESS, *KEY)
    harness.edit(ingress=None, **ROUTED)
    await harness.look()
    harness.say(ROUTE, ACCEPTED)
    harness.cluster.refused[GATE] = READ_ERRORS[0]
    said = await harness.look(READ_ERRORS[0])
    assert ingress in harness.cluster.live
    assert said["Reconciling"].reason == "SwitchingRoute"

    del harness.cluster.refused[GATE]
    harness.cluster.live[GATE] = {"metadata": {"generation": 1}, "status": PROGRAMMED}
    await harness.look()
    assert ingress not in harness.cluster.live


@pytest.mark.parametrize("kind", JAEGER, ids=lambda kind: kind.name)
@pytest.mark.parametrize("error", READ_ERRORS, ids=lambda error: str(error.status))
async def test_a_jaeger_that_cannot_be_read_is_left_and_all_else_is_done(kind: Kind, error: ApiError) -> None:
    storage = {"type": "OpenSearch", "openSearch": SEARCH}
    tracing = {"mode": "Managed", "jaeger": {"format": kind.name, "storage": storage}}
    harness, jaeger = Harness(monitoring={**UNOBSERVED, "tracing": tracing}), JAEGER[kind]
    harness.cluster.live[jaeger]["spec"] |= _rolled_for(kind, "as-it-runs")
    harness.say(jaeger, {**SERVES, "scale": {"statusReplicas": "1/1"}})
    assert (await harness.look())["TracingReady"].reason == "SecretMissing", "so its pods keep what they have"

    harness.cluster.written.clear()
    harness.cluster.refused[jaeger] = error
    harness.edit(logging={"level": "DEBUG"})
    said = await harness.look(error)
    assert (said["Ready"].status, said["TracingReady"].reason) == ("True", "Pending")
    assert DEPLOYED in harness.cluster.written
    assert jaeger not in harness.cluster.written, "what its pods were rolled for is not known"
    assert jaeger in harness.cluster.live
    assert jaeger in harness.outcome.objects

    harness.now = GRACE_SECONDS
    said = await harness.look(error)
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    assert str(jaeger) in said["TracingReady"].message
    assert said["Ready"].status == "True"

    del harness.cluster.refused[jaeger]
    assert (await harness.look())["TracingReady"].reason == "SecretMissing"
    assert "as-it-runs" in str(harness.cluster.live[jaeger]["spec"])


def _rolled_for(kind: Kind, checksum: str) -> Object:
    annotations = {CREDENTIALS_CHECKSUM_ANNOTATION: checksum}
    if kind == OPENTELEMETRY_COLLECTOR:
        return {"podAnnotations": annotations}
    return {"template": {"metadata": {"annotations": annotations}}}
