"""When an object of ours is deleted and made anew; tests/cluster tries it with the product's own rule."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from t2i_operator.known.children import Children
from t2i_operator.known.contest import LIMIT
from t2i_operator.known.faults import REPLACING
from t2i_operator.known.identity import identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.errors import refused
from t2i_operator.kube.kinds import GRAFANA_DASHBOARD, OPENTELEMETRY_COLLECTOR, Kind, Object
from t2i_operator.naming import ADOPT_ANNOTATION, FIELD_MANAGER
from t2i_operator.reconciling.objects import Objects
from t2i_operator.reconciling.requeue import requeue_after
from t2i_operator.settings import read

from tests.unit.operator.resources import resource

OWNER = {"kind": "TextToImageService", "name": "pictures", "uid": "0f0f", "controller": True}
FINALIZER = "operator.grafana.com/finalizer"
SELECTOR = "spec.instanceSelector"


def invalid(*fields: str) -> ApiError:
    """Return how the API server refuses values of these fields."""
    causes = [{"reason": "FieldValueInvalid", "message": f"{field} is immutable", "field": field} for field in fields]
    body = {"reason": "Invalid", "message": f"{', '.join(fields)} is immutable", "details": {"causes": causes}}
    return refused(422, msgspec.json.encode(body))


class Refusing(Cluster):
    """Holds one object, and takes no other value of the fields that are fixed."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.live: Object | None = None
        self.made = 0
        self.deleted = 0
        self.finalizers: list[str] = []
        self.complaints: tuple[str, ...] = (SELECTOR,)
        self.refuses_new: ApiError | None = None

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        return copy.deepcopy(self.live)

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        if self.live is None or self.live["metadata"]["name"] != body["metadata"]["name"]:
            return self._make(body, dry_run=dry_run)
        if body["spec"] != self.live["spec"]:
            raise invalid(*self.complaints)
        return copy.deepcopy(self.live)

    def _make(self, body: Object, *, dry_run: bool) -> Object:
        if self.refuses_new is not None:
            raise self.refuses_new
        self.made += not dry_run
        metadata = {"uid": f"u{self.made}", "resourceVersion": str(10 * self.made), "finalizers": self.finalizers}
        made = copy.deepcopy({**body, "metadata": {**body["metadata"], **metadata}})
        if not dry_run:
            self.live = made
        return copy.deepcopy(made)

    async def delete(self, kind: Kind, metadata: Any) -> None:
        assert self.live is not None
        seen = ("uid", "resourceVersion")
        assert [metadata[name] for name in seen] == [self.live["metadata"][name] for name in seen]
        self.deleted += 1
        if self.live["metadata"]["finalizers"]:
            self.live["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        else:
            self.live = None


class Parts:
    """One object, what is wanted of it, and the two sides."""

    def __init__(self, cluster: Refusing) -> None:
        self.cluster, self.children = cluster, Children()
        self.objects = Objects(cluster, self.children)
        metadata = {"name": "pictures-dashboard-overview", "namespace": "studio", "ownerReferences": [OWNER]}
        kind = {"apiVersion": GRAFANA_DASHBOARD.api_version, "kind": GRAFANA_DASHBOARD.name}
        self.desired: Object = {**kind, "metadata": metadata, "spec": {"instanceSelector": {"version": 0}}}

    async def place(self, *, again: bool = True) -> Outcome:
        outcome = Outcome(generation=1, resource=resource())
        await self.objects.place(self.desired, resource(), outcome, again=again)
        return outcome

    def select(self, version: int) -> None:
        self.desired["spec"] = {"instanceSelector": {"version": version}}

    def release(self) -> None:
        """Let go of the object that is being deleted, and have the watch bring the news."""
        assert self.cluster.live is not None
        assert "deletionTimestamp" in self.cluster.live["metadata"]
        self.cluster.live = None
        self.children.drop(identify(self.desired))


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with aiohttp.ClientSession() as session:
        parts = Parts(Refusing(session))
        assert (await parts.place(again=False)).created
        yield parts


async def test_it_is_made_anew_in_the_same_pass_however_often(parts: Parts) -> None:
    for version in range(1, LIMIT + 2):
        parts.select(version)
        outcome = await parts.place()
        assert outcome.updated == [identify(parts.desired)]
        assert (outcome.faults, outcome.repaired) == ([], [])
        assert parts.cluster.live is not None
        assert parts.cluster.live["spec"] == parts.desired["spec"]
        assert (parts.cluster.deleted, parts.cluster.made) == (version, version + 1)


async def test_a_new_process_does_the_same(parts: Parts) -> None:
    parts.select(1)
    parts.children = Children()
    parts.objects = Objects(parts.cluster, parts.children)
    assert (await parts.place(again=False)).updated
    assert parts.cluster.made == 2


async def test_what_somebody_holds_is_looked_at_seldom(parts: Parts) -> None:
    """Each look tries to write it; an event tells when it goes."""
    parts.cluster.finalizers = [FINALIZER]
    parts.select(1)
    await parts.place()
    parts.select(2)
    assert requeue_after(await parts.place(), read(["--service-image=service:1"], {})) == 30


async def test_what_somebody_holds_is_waited_for_and_its_going_is_no_contest(parts: Parts) -> None:
    parts.cluster.finalizers = [FINALIZER]
    parts.select(1)
    await parts.place()  # from now on, what is made is held
    for version in range(2, LIMIT + 3):
        parts.select(version)
        before = parts.cluster.deleted
        for _ in range(2):
            (fault,) = (await parts.place()).faults
            assert (fault.reason, fault.condition) == (REPLACING, "DashboardsReady")
            assert FINALIZER in fault.message
            assert SELECTOR in fault.message
        assert parts.cluster.deleted == before + 1, "it is deleted once"

        parts.release()
        outcome = await parts.place()
        assert outcome.updated == [identify(parts.desired)]
        assert (outcome.faults, outcome.repaired) == ([], [])
        assert parts.cluster.live is not None
        assert parts.cluster.live["spec"] == parts.desired["spec"]


async def test_what_others_delete_is_still_counted(parts: Parts) -> None:
    parts.select(1)
    await parts.place()
    parts.cluster.live = None
    parts.children.drop(identify(parts.desired))
    assert (await parts.place()).repaired


async def stays(parts: Parts) -> str:
    """Return what is said of it."""
    parts.select(1)
    with pytest.raises(ApiError) as refusal:
        await parts.place()
    assert (parts.cluster.deleted, parts.cluster.made) == (0, 1)
    return refusal.value.message


async def test_what_is_only_offered_to_us_stays(parts: Parts) -> None:
    assert parts.cluster.live is not None
    parts.cluster.live["metadata"] |= {"ownerReferences": [], "annotations": {ADOPT_ANNOTATION: "pictures"}}
    await stays(parts)


@pytest.mark.parametrize("complaints", [(), ("spec.json",), (SELECTOR, "spec.json")])
async def test_what_is_refused_for_another_reason_stays(parts: Parts, complaints: tuple[str, ...]) -> None:
    parts.cluster.complaints = complaints
    await stays(parts)


async def test_a_kind_whose_objects_may_hold_data_stays(parts: Parts) -> None:
    kind = {"apiVersion": OPENTELEMETRY_COLLECTOR.api_version, "kind": OPENTELEMETRY_COLLECTOR.name}
    parts.desired |= kind
    await stays(parts)


async def test_it_stays_while_another_would_be_refused(parts: Parts) -> None:
    name = parts.desired["metadata"]["name"]
    message = "ValidatingAdmissionPolicy 'none' denied request: not here"
    parts.cluster.refuses_new = ApiError(403, "Forbidden", f'"{name}.trial" is forbidden: {message}')
    assert await stays(parts) == f'"{name}" is forbidden: {message}'


async def test_a_webhook_that_knows_no_dry_runs_does_not_hold_it_back(parts: Parts) -> None:
    cluster, message = parts.cluster, 'admission webhook "tags.example.com" does not support dry run'
    cluster.refuses_new = ApiError(400, "BadRequest", message)
    parts.select(1)
    with pytest.raises(ApiError):  # of the apply: this fake's webhook refuses that as well
        await parts.place()
    assert cluster.deleted == 1
    cluster.refuses_new = None
    assert (await parts.place()).updated
