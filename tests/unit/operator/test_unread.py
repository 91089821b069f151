"""A Gateway, a collector or Jaeger's Deployment that cannot be read: all else is done, and told, in the same pass."""

import copy
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import aiohttp
import pytest
from t2i_operator import builders, routing, spec
from t2i_operator.cache import Cache
from t2i_operator.children import Id
from t2i_operator.cluster import ApiError, Cluster
from t2i_operator.conditions import Condition, conditions
from t2i_operator.kinds import (
    DEPLOYMENT,
    GATEWAY,
    HTTP_ROUTE,
    INGRESS,
    OPENTELEMETRY_COLLECTOR,
    RESOURCE,
    Kind,
    Object,
)
from t2i_operator.naming import CREDENTIALS_CHECKSUM_ANNOTATION, FIELD_MANAGER, Key
from t2i_operator.objects import identify
from t2i_operator.outcome import Outcome
from t2i_operator.patience import LASTING_SECONDS, Patience
from t2i_operator.reconcile import Reconciler
from t2i_operator.secret_watch import SecretWatch
from t2i_operator.settings import read

from tests.unit.operator.resources import OBSERVED, UNOBSERVED

KEY = Key("studio", "pictures")
ROUTED: Object = {"httpRoute": {"parentRefs": [{"name": "public"}]}}
SEARCH: Object = {"serverURLs": ["http://s:9200"], "credentialsSecretRef": {"name": "search"}}
PROGRAMMED: Object = {"conditions": [{"type": "Programmed", "status": "True"}]}
SERVES: Object = {
    **dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "observedGeneration"), 1),
    "conditions": [{"type": "Available", "status": "True"}],
}
PASSING = [
    ApiError(500, "InternalError", "conversion webhook for gateway.networking.k8s.io/v1beta1 failed: refused"),
    ApiError(0, "Unreachable", "no answer in time"),
    ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
]
JAEGER = {kind: Id(kind, KEY.namespace, "pictures-jaeger") for kind in (DEPLOYMENT, OPENTELEMETRY_COLLECTOR)}
DEPLOYED = Id(DEPLOYMENT, *KEY)


class Storing(Cluster):
    """Stores what is applied; what is `refused` cannot be read."""

    def __init__(self) -> None:
        super().__init__(MagicMock(spec=aiohttp.ClientSession))
        self.live: dict[Id, Object] = {}
        self.refused: dict[Id, ApiError] = {}
        self.written: list[Id] = []

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        identity = Id(kind, namespace, name)
        if identity in self.refused:
            error = self.refused[identity]
            raise ApiError(error.status, error.reason, error.message)  # another each time: a message may be added to
        return copy.deepcopy(self.live.get(identity))

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        identity = identify(body)
        self.written.append(identity)
        return copy.deepcopy(self.store(identity, body))

    async def delete(self, kind: Kind, metadata: Object) -> None:
        self.live.pop(Id(kind, metadata["namespace"], metadata["name"]))

    def store(self, identity: Id, body: Object) -> Object:
        before = self.live.get(identity, {"metadata": {"resourceVersion": "0"}})
        version = str(int(before["metadata"]["resourceVersion"]) + 1)
        own = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": _fields(body)}
        marks = {"uid": str(identity), "resourceVersion": version, "generation": 1, "managedFields": [own]}
        kept = {name: value for name, value in before.items() if name == "status"}
        self.live[identity] = {**kept, **body, "metadata": {**body["metadata"], **marks}}
        return self.live[identity]


def _fields(value: Any) -> Any:
    return {f"f:{name}": _fields(inside) for name, inside in value.items()} if isinstance(value, dict) else {}


class Parts:
    """A resource that is in place and ready; `now` is what patience takes for the time."""

    def __init__(self, **wanted: Any) -> None:
        models = [{"name": "sdxl", "provider": "Sandbox"}]
        self.metadata: Object = {"name": KEY.name, "namespace": KEY.namespace, "uid": "0f0f", "generation": 0}
        self.fields: Object = {"replicas": 1, "models": models, "monitoring": UNOBSERVED, **wanted}
        self.cluster, self.cache, self.stored = Storing(), Cache(), list[Object]()
        self.reporter = MagicMock(report=AsyncMock(), report_deeds=AsyncMock())
        secrets = SecretWatch(self.cluster, max_age_seconds=0)
        settings = read(["--service-image=service:1"], {})
        self.reconciler = Reconciler(self.cluster, self.cache, secrets, self.reporter, settings)
        self.now = 0.0
        self.reconciler._patience = Patience(lambda: self.now)
        self.edit()
        for desired in builders.desired(spec.parse({"metadata": self.metadata, "spec": self.fields}), OBSERVED):
            self.cluster.store(identify(desired), desired)
            self.say(identify(desired), SERVES if desired["kind"] == DEPLOYMENT.name else {})

    def edit(self, **wanted: Any) -> None:
        generation = self.metadata["generation"] + 1
        self.metadata |= {"generation": generation, "resourceVersion": str(generation)}
        self.fields |= wanted
        body = {"metadata": self.metadata, "spec": self.fields}
        self.cluster.live[Id(RESOURCE, *KEY)] = copy.deepcopy(body)
        self.cache.resources.observe(body)

    def say(self, identity: Id, status: Object) -> None:
        """Have an object's controller say something."""
        live = self.cluster.store(identity, {**self.cluster.live[identity], "status": status})
        self.cache.children.observe(identity.kind, live)

    async def look(self, error: ApiError | None = None) -> dict[str, Condition]:
        """Return what is said after one pass, which fails with this error or with none."""
        before = self.reporter.report.await_count
        if error is None:
            await self.reconciler.reconcile(KEY)
        else:
            with pytest.raises(ApiError) as raised:
                await self.reconciler.reconcile(KEY)
            assert raised.value.status == error.status
        assert self.reporter.report.await_count == before + 1, "nothing is told"
        said = conditions(self.outcome, self.stored)
        names = ("type", "status", "reason", "message")
        generation = {"observedGeneration": self.outcome.generation}
        self.stored = [dict(zip(names, each, strict=True)) | generation for each in said]
        return {each.type: each for each in said}

    @property
    def outcome(self) -> Outcome:
        found: Outcome = self.reporter.report.await_args.args[2]
        return found


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
    parts.say(DEPLOYED, {**SERVES, "conditions": []})
    for parts.now in (0.0, LASTING_SECONDS - 1):
        said = await parts.look(error)
        assert said["Available"].status == "False"
        assert said["RouteReady"].reason == "Programmed"

    parts.now = LASTING_SECONDS
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

    parts.now = LASTING_SECONDS
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
