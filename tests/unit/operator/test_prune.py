"""What is taken away when a spec asks for a kind that the cluster may not serve."""

from typing import Any

import aiohttp
import pytest
from t2i_operator.known.children import Children
from t2i_operator.known.faults import APPLY_FAILED, REPLACING
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster, NotLeadingError
from t2i_operator.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    GRAFANA_DASHBOARD,
    OPENTELEMETRY_COLLECTOR,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    VOLUME_CLAIM,
    Kind,
    Object,
)
from t2i_operator.reconciling.prune import Pruner

from tests.unit.operator.harness import DEPLOYED, KEY, SERVES, Harness
from tests.unit.operator.resources import resource

DASHBOARD = Id(CONFIG_MAP, "studio", "pictures-dashboard-overview")
JAEGER = [Id(DEPLOYMENT, "studio", "pictures-jaeger"), Id(SERVICE, "studio", "pictures-jaeger-collector")]
OTHER = Id(CONFIG_MAP, "studio", "pictures-config")
OWNED = [DASHBOARD, *JAEGER, OTHER]
SERVING: Any = {"observed": True, "replicas": 1, "updated": 1, "ready": 1, "available": 1}
OWNER = {"kind": "TextToImageService", "name": "pictures", "uid": "0f0f", "controller": True}


class Deleting(Cluster):
    """Lets everything be deleted but what is `refused`."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.refused: dict[str, Exception] = {}

    async def delete(self, kind: Kind, metadata: Any) -> None:
        if metadata["name"] in self.refused:
            raise self.refused[metadata["name"]]


def live(identity: Id) -> Object:
    metadata = {"name": identity.name, "namespace": "studio", "uid": "u", "resourceVersion": "1"}
    body = {"metadata": {**metadata, "ownerReferences": [OWNER]}}
    return {**body, "spec": {"replicas": 1}} if identity.kind == DEPLOYMENT else body


@pytest.mark.parametrize(
    ("absent", "kept"),
    [
        ([], []),
        ([GRAFANA_DASHBOARD], [DASHBOARD]),
        ([OPENTELEMETRY_COLLECTOR], JAEGER),
    ],
)
async def test_what_works_stays_until_its_successors_kind_is_served(absent: list[Kind], kept: list[Id]) -> None:
    children = Children()
    for identity in OWNED:
        children.observe(identity.kind, live(identity))
    monitoring = {
        "dashboards": {"format": "GrafanaDashboard"},
        "tracing": {"jaeger": {"format": "OpenTelemetryCollector"}},
    }
    outcome = Outcome(generation=1, absent=dict.fromkeys(absent, Absence.MISSING))
    async with aiohttp.ClientSession() as session:
        stays = await Pruner(Deleting(session), children).prune(resource(monitoring=monitoring), set(), outcome)
    assert sorted(stays) == sorted(kept)
    assert sorted(outcome.deleted) == sorted(set(OWNED) - set(kept))


@pytest.mark.parametrize(
    ("status", "kept"),
    [
        ({}, True),
        ({"conditions": [{"type": "NoMatchingInstance", "status": "True"}]}, True),
        ({"conditions": [{"type": "DashboardSynchronized", "status": "True"}]}, False),
    ],
    ids=["nobody has looked", "no Grafana", "shown"],
)
async def test_a_dashboard_stays_until_a_grafana_has_its_successor(status: Object, *, kept: bool) -> None:
    children, successor = Children(), DASHBOARD._replace(kind=GRAFANA_DASHBOARD)
    children.observe(DASHBOARD.kind, live(DASHBOARD))
    children.observe(GRAFANA_DASHBOARD, {**live(successor), "status": status})
    wanted = resource(monitoring={"dashboards": {"format": "GrafanaDashboard"}})
    outcome = Outcome(generation=1, resource=wanted)
    async with aiohttp.ClientSession() as session:
        stays = await Pruner(Deleting(session), children).prune(wanted, {successor}, outcome)
    assert (stays, outcome.deleted) == (([DASHBOARD], []) if kept else ([], [DASHBOARD]))
    assert outcome.complete, "an event tells when a Grafana has it"


@pytest.mark.parametrize(
    ("reasons", "goes"), [([REPLACING], True), ([REPLACING, APPLY_FAILED], False)], ids=["its Service", "more"]
)
async def test_a_collector_goes_when_only_its_own_service_is_in_the_way(reasons: list[str], *, goes: bool) -> None:
    """Else the two would wait for each other for ever: that Service goes with the collector."""
    children, collector = Children(), Id(OPENTELEMETRY_COLLECTOR, "studio", "pictures-jaeger")
    children.observe(collector.kind, {**live(collector), "spec": {}})
    wanted = resource(monitoring={"tracing": {"mode": "Managed"}})
    outcome = Outcome(generation=1, resource=wanted)
    for identity, reason in zip(reversed(JAEGER), reasons, strict=False):
        outcome.fault(identity, reason, "the sentence")
    async with aiohttp.ClientSession() as session:
        await Pruner(Deleting(session), children).prune(wanted, set(JAEGER), outcome)
    assert outcome.deleted == ([collector] if goes else [])


@pytest.mark.parametrize("absent", [True, False], ids=["out of sight", "served"])
async def test_what_comes_into_sight_during_a_pass_is_not_taken_for_unwanted(*, absent: bool) -> None:
    """A pass that began without its kind has left it out of what is wanted."""
    monitor, children = Id(SERVICE_MONITOR, "studio", "pictures-monitor"), Children()
    children.observe(SERVICE_MONITOR, live(monitor))
    outcome = Outcome(generation=1, absent={SERVICE_MONITOR: Absence.FORBIDDEN} if absent else {})
    async with aiohttp.ClientSession() as session:
        await Pruner(Deleting(session), children).prune(resource(), set(), outcome)
    assert outcome.deleted == ([] if absent else [monitor])


async def test_what_is_switched_off_goes_all_the_same() -> None:
    children = Children()
    children.observe(DASHBOARD.kind, live(DASHBOARD))
    outcome = Outcome(generation=1, absent={GRAFANA_DASHBOARD: Absence.MISSING})
    async with aiohttp.ClientSession() as session:
        await Pruner(Deleting(session), children).prune(resource(), set(), outcome)
    assert outcome.deleted == [DASHBOARD]


class Releasing(Deleting):
    """Lets everything be released too."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.released: list[str] = []
        self.owner = OWNER

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        found = live(Id(kind, namespace, name))
        return {**found, "metadata": {**found["metadata"], "ownerReferences": [self.owner]}}

    async def patch(self, kind: Kind, namespace: str, name: str, body: Object) -> Object:
        if name in self.refused:
            raise self.refused[name]
        self.released.append(name)
        return {}


async def test_whatever_the_spec_names_is_released_and_not_deleted() -> None:
    names = ["pictures-secrets", "pictures-dashboard-overview", "pictures-jaeger"]
    kinds = [SECRET, CONFIG_MAP, VOLUME_CLAIM]
    children = Children()
    for kind, name in zip(kinds, names, strict=True):
        children.observe(kind, live(Id(kind, "studio", name)))
    volumes = [
        {"name": "a", "configMap": {"name": names[1]}},
        {"name": "b", "persistentVolumeClaim": {"claimName": names[2]}},
    ]
    hook = {"name": "hook", "webhook": {"url": {"secretKeyRef": {"name": names[0], "key": "url"}}}}
    wanted = resource(monitoring={"alerts": {"receivers": [hook]}}, podTemplate={"spec": {"volumes": volumes}})
    outcome = Outcome(generation=1)
    async with aiohttp.ClientSession() as session:
        cluster = Releasing(session)
        await Pruner(cluster, children).prune(wanted, set(), outcome)
    assert sorted(cluster.released) == sorted(names)
    assert outcome.deleted == []


async def test_what_has_another_owner_by_now_is_not_released() -> None:
    children = Children()
    children.observe(OTHER.kind, live(OTHER))
    volumes = [{"name": "a", "configMap": {"name": OTHER.name}}]
    outcome = Outcome(generation=1)
    async with aiohttp.ClientSession() as session:
        cluster = Releasing(session)
        cluster.owner = {"kind": "Deployment", "name": "theirs", "uid": "1111", "controller": True}
        await Pruner(cluster, children).prune(resource(podTemplate={"spec": {"volumes": volumes}}), set(), outcome)
    assert cluster.released == []
    assert (outcome.deleted, outcome.faults) == ([], [])
    assert children.get(OTHER) is None, "it is none of ours"


CONFLICTING = ApiError(409, "Conflict", "the object has been modified")
FAILING = ApiError(500, "InternalError", "failed calling webhook")


@pytest.mark.parametrize(("error", "told"), [(CONFLICTING, 0), (FAILING, 1)], ids=["changed meanwhile", "failing"])
async def test_what_cannot_be_released_keeps_nothing_else_from_going(error: ApiError, told: int) -> None:
    names, children = ("pictures-dashboard-models", "pictures-dashboard-overview"), Children()
    named = [Id(CONFIG_MAP, "studio", name) for name in names]
    for identity in (*named, OTHER):
        children.observe(identity.kind, live(identity))
    volumes = [{"name": each.name, "configMap": {"name": each.name}} for each in named]
    wanted = resource(podTemplate={"spec": {"volumes": volumes}})
    outcome = Outcome(generation=1, resource=wanted)
    async with aiohttp.ClientSession() as session:
        cluster = Releasing(session)
        cluster.refused[names[0]] = error
        await Pruner(cluster, children).prune(wanted, set(), outcome)
    assert (cluster.released, outcome.deleted) == ([names[1]], [OTHER])
    assert [each.error for each in outcome.failures] == [error] * told
    assert children.get(named[0]), "it is ours until it is released"


GONE = ApiError(404, "NotFound", "not found")


@pytest.mark.parametrize("named", [True, False], ids=["released", "deleted"])
@pytest.mark.parametrize(("error", "stays"), [(CONFLICTING, True), (GONE, False)], ids=["changed", "gone"])
async def test_what_has_moved_on_is_looked_at_again_soon(error: ApiError, *, stays: bool, named: bool) -> None:
    """No event queues us for a change that we do not look at, such as that of a status."""
    children = Children()
    children.observe(OTHER.kind, live(OTHER))
    volumes = [{"name": "a", "configMap": {"name": OTHER.name}}] if named else []
    wanted = resource(podTemplate={"spec": {"volumes": volumes}})
    outcome = Outcome(generation=1, resource=wanted)
    async with aiohttp.ClientSession() as session:
        cluster = Releasing(session)
        cluster.refused[OTHER.name] = error
        await Pruner(cluster, children).prune(wanted, set(), outcome)
    assert (OTHER.name in outcome.waiting) is stays
    assert (children.get(OTHER) is not None) is stays
    assert (outcome.faults, outcome.deleted) == ([], [])


async def test_who_leads_no_more_releases_nothing_more() -> None:
    children, ours = Children(), OTHER
    children.observe(ours.kind, live(ours))
    wanted = resource(podTemplate={"spec": {"volumes": [{"name": "a", "configMap": {"name": ours.name}}]}})
    async with aiohttp.ClientSession() as session:
        cluster = Releasing(session)
        cluster.refused[ours.name] = NotLeadingError("not the leader any more")
        with pytest.raises(NotLeadingError):
            await Pruner(cluster, children).prune(wanted, set(), Outcome(generation=1, resource=wanted))


COPIED = [SERVICE_ACCOUNT, SECRET, CONFIG_MAP, DEPLOYMENT, GRAFANA_DASHBOARD]


@pytest.mark.parametrize("name", ["mine", "pictures-canary", "pictures-dashboard-mine", "pictures-jaeger-copy"])
@pytest.mark.parametrize("kind", COPIED, ids=lambda kind: kind.name)
async def test_a_copy_with_our_marks_is_left_alone(kind: Kind, name: str) -> None:
    """Who copies an object and gives it a name of its own has taken our labels, annotations and owner along."""
    children, outcome = Children(), Outcome(generation=1)
    assert children.observe(kind, live(Id(kind, "studio", name))) == set()
    async with aiohttp.ClientSession() as session:
        assert await Pruner(Deleting(session), children).prune(resource(), set(), outcome) == []
    assert (outcome.deleted, outcome.faults, outcome.waiting) == ([], [], "")


async def test_a_secret_waits_for_the_pods_that_may_read_it() -> None:
    secret, children = Id(SECRET, "studio", "pictures-secrets"), Children()
    children.observe(SECRET, live(secret))
    for rollout, deleted in ((None, []), (Rollout(observed=True), []), (Rollout(**SERVING), [secret])):
        outcome = Outcome(generation=1, rollout=rollout)
        async with aiohttp.ClientSession() as session:
            await Pruner(Deleting(session), children).prune(resource(), set(), outcome)
        assert (outcome.deleted, bool(outcome.awaits_rollout)) == (deleted, not deleted)


async def test_a_rollout_that_is_stuck_is_not_looked_at_all_the_time() -> None:
    """Its end is an event of the Deployment's."""
    harness, secret = Harness(), Id(SECRET, "studio", "pictures-secrets")
    harness.cluster.store(secret, live(secret))
    harness.say(secret, {})
    harness.say(DEPLOYED, {**SERVES, "updatedReplicas": 0})
    assert await harness.reconciler.reconcile(KEY) == 30.0
    assert harness.outcome.awaits_rollout == f"{secret} is deleted once no pod of the old template is left"
    assert not harness.outcome.complete
    assert secret in harness.cluster.live

    harness.say(DEPLOYED, SERVES)
    await harness.look()
    assert (harness.outcome.deleted, secret in harness.cluster.live) == ([secret], False)
