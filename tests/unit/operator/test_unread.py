"""A Gateway, a collector or Jaeger's Deployment that cannot be read: all else is done, and told, in the same pass."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    DEPLOYMENT,
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

from tests.unit.operator.passes import KEY, SERVES, Parts
from tests.unit.operator.resources import UNOBSERVED

ROUTED: Object = {"httpRoute": {"parentRefs": [{"name": "public"}]}}
SEARCH: Object = {"serverURLs": ["http://s:9200"], "credentialsSecretRef": {"name": "search"}}
PROGRAMMED: Object = {"conditions": [{"type": "Programmed", "status": "True"}]}
PASSING = [
    ApiError(500, "InternalError", "conversion webhook for gateway.networking.k8s.io/v1beta1 failed: refused"),
    ApiError(0, "Unreachable", "no answer in time"),
    ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
]
JAEGER = {kind: Id(kind, KEY.namespace, "pictures-jaeger") for kind in (DEPLOYMENT, OPENTELEMETRY_COLLECTOR)}
DEPLOYED = Id(DEPLOYMENT, *KEY)


GATE, ROUTE = Id(GATEWAY, KEY.namespace, "public"), Id(HTTP_ROUTE, *KEY)
ACCEPTED: Object = {
    "parents": [{"parentRef": {"name": "public"}, "conditions": [{"type": "Accepted", "status": "True"}]}]
}


async def routed(monkeypatch: pytest.MonkeyPatch) -> Parts:
    """Return a resource with a way in that works, whose Gateway is read at every look."""
    monkeypatch.setattr(routing, "_MAX_AGE_SECONDS", 0.0)
    parts = Parts(**ROUTED)
    parts.cluster.live[GATE] = {"metadata": {"generation": 1}, "status": PROGRAMMED}
    parts.say(ROUTE, ACCEPTED)
    assert (await parts.look())["RouteReady"].status == "True"
    return parts


@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error.status))
async def test_pods_that_no_longer_serve_are_told_of_though_the_gateway_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, error: ApiError
) -> None:
    parts = await routed(monkeypatch)
    parts.cluster.refused[GATE] = error
    parts.say(DEPLOYED, {**SERVES, "availableReplicas": 0})
    for parts.now in (0.0, GRACE_SECONDS - 1):
        said = await parts.look(error)
        assert said["Available"].status == "False"
        assert said["RouteReady"].reason == "Programmed"

    parts.now = GRACE_SECONDS
    said = await parts.look(error)
    assert (said["RouteReady"].status, said["RouteReady"].reason) == ("Unknown", "NotVisible")
    assert error.message in said["RouteReady"].message

    del parts.cluster.refused[GATE]
    assert (await parts.look())["RouteReady"].reason == "Programmed"


async def test_an_edit_is_followed_though_the_gateway_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = await routed(monkeypatch)
    parts.cluster.refused[GATE] = PASSING[0]
    parts.cluster.written.clear()
    parts.edit(logging={"level": "DEBUG"})
    said = await parts.look(PASSING[0])
    assert DEPLOYED in parts.cluster.written
    assert (said["Ready"].status, said["Accepted"].status, said["Progressing"].status) == ("True", "True", "True")
    assert said["RouteReady"].reason == "Pending", "what was said of an older spec says nothing of this one"


async def test_a_way_in_is_kept_while_the_gateway_of_the_next_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_MAX_AGE_SECONDS", 0.0)
    parts = Parts(ingress={"host": "images.example.com"})
    ingress = Id(INGRESS, *KEY)
    parts.edit(ingress=None, **ROUTED)
    await parts.look()
    parts.say(ROUTE, ACCEPTED)
    parts.cluster.refused[GATE] = PASSING[0]
    said = await parts.look(PASSING[0])
    assert ingress in parts.cluster.live
    assert said["Reconciling"].reason == "SwitchingRoute"

    del parts.cluster.refused[GATE]
    parts.cluster.live[GATE] = {"metadata": {"generation": 1}, "status": PROGRAMMED}
    await parts.look()
    assert ingress not in parts.cluster.live


@pytest.mark.parametrize("kind", JAEGER, ids=lambda kind: kind.name)
@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error.status))
async def test_a_jaeger_that_cannot_be_read_is_left_and_all_else_is_done(kind: Kind, error: ApiError) -> None:
    storage = {"type": "OpenSearch", "openSearch": SEARCH}
    tracing = {"mode": "Managed", "jaeger": {"format": kind.name, "storage": storage}}
    parts, jaeger = Parts(monitoring={**UNOBSERVED, "tracing": tracing}), JAEGER[kind]
    parts.cluster.live[jaeger]["spec"] |= _rolled_for(kind, "as-it-runs")
    parts.say(jaeger, {**SERVES, "scale": {"statusReplicas": "1/1"}})
    assert (await parts.look())["TracingReady"].reason == "SecretMissing", "so its pods keep what they have"

    parts.cluster.written.clear()
    parts.cluster.refused[jaeger] = error
    parts.edit(logging={"level": "DEBUG"})
    said = await parts.look(error)
    assert (said["Ready"].status, said["TracingReady"].reason) == ("True", "Pending")
    assert DEPLOYED in parts.cluster.written
    assert jaeger not in parts.cluster.written, "what its pods were rolled for is not known"
    assert jaeger in parts.cluster.live
    assert jaeger in parts.outcome.objects

    parts.now = GRACE_SECONDS
    said = await parts.look(error)
    assert said["TracingReady"][1:3] == ("False", "ApplyFailed")
    assert str(jaeger) in said["TracingReady"].message
    assert said["Ready"].status == "True"

    del parts.cluster.refused[jaeger]
    assert (await parts.look())["TracingReady"].reason == "SecretMissing"
    assert "as-it-runs" in str(parts.cluster.live[jaeger]["spec"])


def _rolled_for(kind: Kind, checksum: str) -> Object:
    annotations = {CREDENTIALS_CHECKSUM_ANNOTATION: checksum}
    if kind == OPENTELEMETRY_COLLECTOR:
        return {"podAnnotations": annotations}
    return {"template": {"metadata": {"annotations": annotations}}}
