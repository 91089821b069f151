"""What is kept of what ran while something is missing."""

from typing import Any

import aiohttp
import pytest
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, OPENTELEMETRY_COLLECTOR, VOLUME_CLAIM, Kind, Object
from t2i_operator.naming import CREDENTIALS_CHECKSUM_ANNOTATION
from t2i_operator.reconciling.observe import Observer

from tests.unit.operator.resources import UNOBSERVED, resource

RUNNING = {CREDENTIALS_CHECKSUM_ANNOTATION: "running"}
LIVE: dict[Kind, Object] = {
    DEPLOYMENT: {"spec": {"template": {"metadata": {"annotations": RUNNING}}}},
    OPENTELEMETRY_COLLECTOR: {"spec": {"podAnnotations": RUNNING}},
}
SEARCH = {"serverURLs": ["http://s:9200"], "credentialsSecretRef": {"name": "search"}}
THERE = {"search": {"username": "dQ==", "password": "cA=="}}


class Holding(Cluster):
    """Has a Jaeger in one form and may not look at the other."""

    kind = DEPLOYMENT

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        if name != "pictures-jaeger":
            return None
        if kind != self.kind:
            raise ApiError(403, "Forbidden", "no")
        return LIVE[kind]


async def storage_checksum(kind: Kind, form: str, secrets: Any) -> str:
    jaeger = {"format": form, "storage": {"type": "OpenSearch", "openSearch": SEARCH}}
    wanted = resource(monitoring={**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": jaeger}})
    async with aiohttp.ClientSession() as session:
        cluster = Holding(session)
        cluster.kind = kind
        outcome = Outcome(generation=1, resource=wanted)
        observed = await Observer(cluster, image="i", jaeger_image="j").observe(wanted, secrets, None, outcome)
    assert not outcome.faults
    return observed.storage_checksum


@pytest.mark.parametrize("kind", LIVE, ids=lambda kind: kind.name)
async def test_jaeger_keeps_its_checksum_while_its_secret_is_missing(kind: Kind) -> None:
    assert await storage_checksum(kind, kind.name, {"search": None}) == "running"
    assert await storage_checksum(kind, kind.name, THERE) not in ("", "running")


async def test_a_kind_that_may_not_be_seen_has_none() -> None:
    assert await storage_checksum(DEPLOYMENT, OPENTELEMETRY_COLLECTOR.name, {"search": None}) == ""


CLAIMED = {**UNOBSERVED, "tracing": {"mode": "Managed", "jaeger": {"storage": {"type": "Badger"}}}}


class Claiming(Cluster):
    """Has a claim for a volume that is larger than the spec says, unless it fails."""

    error: ApiError | None = None

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        if kind != VOLUME_CLAIM:
            return None
        if self.error:
            raise self.error
        return {"spec": {"resources": {"requests": {"storage": "20Gi"}}}}


async def volume_size(monitoring: Any, error: ApiError | None = None) -> tuple[str, list[str]]:
    """Return the size that is observed, and the conditions that have to wait."""
    wanted = resource(monitoring=monitoring)
    async with aiohttp.ClientSession() as session:
        cluster = Claiming(session)
        cluster.error = error
        outcome = Outcome(generation=1, resource=wanted)
        observed = await Observer(cluster, image="i", jaeger_image="j").observe(wanted, {}, None, outcome)
    return observed.volume_size, [each.condition for each in outcome.failures]


async def test_the_size_of_jaeger_s_volume_is_seen() -> None:
    assert await volume_size(CLAIMED) == ("20Gi", [])
    assert await volume_size({**UNOBSERVED, "tracing": {"mode": "Managed"}}) == ("", []), "there is none to ask for"


async def test_a_claim_that_cannot_be_read_keeps_jaeger_alone_waiting() -> None:
    assert await volume_size(CLAIMED, ApiError(500, "", "no")) == ("", ["TracingReady"])


class Counting(Cluster):
    """Has the Deployment, and counts how often it is asked for it."""

    asked = 0

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        if kind != DEPLOYMENT:
            return None
        self.asked += 1
        return {"metadata": {}, "spec": {**LIVE[DEPLOYMENT]["spec"], "replicas": 3}}


VARIABLES = {"containers": [{"name": "text-to-image", "envFrom": [{"secretRef": {"name": "tokens"}}]}]}


@pytest.mark.parametrize(
    ("wanted", "asked"),
    [
        ({}, 1),
        ({"replicas": 2}, 0),
        ({"autoscaling": {"maxReplicas": 3}}, 0),
        ({"podTemplate": {"spec": VARIABLES}}, 1),
    ],
    ids=["unstated", "stated", "autoscaled", "with a Secret missing"],
)
async def test_the_deployment_is_read_once_at_most(wanted: Any, asked: int) -> None:
    of_spec = resource(credentials={"secretRef": {"name": "tokens"}} if "podTemplate" in wanted else None, **wanted)
    async with aiohttp.ClientSession() as session:
        cluster = Counting(session)
        outcome = Outcome(generation=1, resource=of_spec)
        await Observer(cluster, image="i", jaeger_image="j").observe(of_spec, {"tokens": None}, None, outcome)
    assert cluster.asked == asked
