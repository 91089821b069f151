"""What is written, and what is left to others, where somebody fights back; tests/cluster tries it for real."""

import copy
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from t2i_operator.known import drift
from t2i_operator.known.children import Children
from t2i_operator.known.contest import LIMIT, WINDOW_SECONDS, Contest
from t2i_operator.known.faults import CONTESTED
from t2i_operator.known.identity import identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import CONFIG_MAP, Kind, Object
from t2i_operator.naming import FIELD_MANAGER
from t2i_operator.reconciling.objects import Objects

from tests.unit.operator.resources import built, resource

MEDDLER = "meddler"


def fields_of(value: Any) -> Any:
    """Return the `fieldsV1` of an object whose lists are none of ours."""
    return {f"f:{name}": fields_of(inside) for name, inside in value.items()} if isinstance(value, dict) else {}


class Applying(Cluster):
    """Holds one ConfigMap, and applies to it as the API server does."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.live: Object | None = None
        self.applied: list[Object] = []
        self.dry_runs = 0
        self.rewrite: dict[str, str] = {}

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        return copy.deepcopy(self.live)

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        stored = self._stored(body)
        if dry_run:
            self.dry_runs += 1
            return stored
        self.applied.append(body)
        if self.live is None or drift.observed(stored) != drift.observed(self.live):
            stored["metadata"]["resourceVersion"] = str(int(stored["metadata"]["resourceVersion"]) + 1)
        self.live = stored
        return copy.deepcopy(stored)

    def _stored(self, body: Object) -> Object:
        live: Object = copy.deepcopy(self.live) or {"metadata": {"uid": "u", "resourceVersion": "1"}, "data": {}}
        theirs = {name: value for name, value in live["data"].items() if name not in body["data"]}
        kept = live["metadata"].get("managedFields", [])[1:]
        marks = {name: body["metadata"][name] for name in ("labels", "annotations")}
        own = {"f:data": fields_of(body["data"]), "f:metadata": fields_of(marks)}
        others = [each for each in kept if not each["fieldsV1"]["f:data"].keys() & own["f:data"].keys()]
        ours = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": own}
        metadata = {**body["metadata"], **{name: live["metadata"][name] for name in ("uid", "resourceVersion")}}
        data = {**theirs, **body["data"], **self.rewrite}
        return {"metadata": {**metadata, "managedFields": [ours, *others]}, "data": data}

    def meddle(self, field: str, value: str) -> None:
        assert self.live is not None
        metadata = self.live["metadata"]
        ours = metadata["managedFields"][0]["fieldsV1"]
        ours.get("f:data", {}).pop(f"f:{field}", None)
        if not ours.get("f:data"):
            ours.pop("f:data", None)
        theirs = {"manager": MEDDLER, "operation": "Update", "fieldsV1": {"f:data": {f"f:{field}": {}}}}
        metadata["managedFields"].append(theirs)
        self.live["data"][field] = value
        self.bump()

    def bump(self) -> None:
        assert self.live is not None
        self.live["metadata"]["resourceVersion"] = str(int(self.live["metadata"]["resourceVersion"]) + 1)


class Parts:
    """One object, what is wanted of it, and the two sides."""

    def __init__(self, cluster: Applying) -> None:
        self.cluster, self.children = cluster, Children()
        self.objects = Objects(cluster, self.children)
        found = built(CONFIG_MAP)
        assert found is not None
        found["metadata"].pop("ownerReferences")
        self.desired = {**found, "data": {"one": "1", "other": "2"}}

    async def place(self, *, again: bool = True) -> Outcome:
        if self.cluster.live is not None:
            self.children.observe(CONFIG_MAP, copy.deepcopy(self.cluster.live))
        outcome = Outcome(generation=1, resource=resource())
        await self.objects.place(self.desired, resource(), outcome, again=again)
        return outcome

    def data(self) -> Object:
        assert self.cluster.live is not None
        found: Object = self.cluster.live["data"]
        return found

    def delete(self) -> None:
        self.cluster.live = None
        self.children.drop(identify(self.desired))

    def restart(self) -> None:
        """Forget all that the process knew."""
        self.children = Children()
        self.objects = Objects(self.cluster, self.children)


@pytest.fixture
async def parts() -> AsyncIterator[Parts]:
    async with aiohttp.ClientSession() as session:
        parts = Parts(Applying(session))
        assert (await parts.place(again=False)).created
        yield parts


async def test_what_another_has_set_as_it_is_wanted_by_now_is_not_put_back(parts: Parts) -> None:
    parts.cluster.meddle("one", "theirs")
    parts.desired["data"]["one"] = "theirs"
    parts.restart()
    outcome = await parts.place()
    assert (outcome.repaired, outcome.updated) == ([], [identify(parts.desired)])
    outcome = await parts.place()
    assert (outcome.repaired, outcome.updated, outcome.faults) == ([], [], [])


async def test_a_contested_field_gives_way_and_the_others_are_still_repaired(parts: Parts) -> None:
    for _ in range(LIMIT):
        parts.cluster.meddle("one", "theirs")
        outcome = await parts.place()
        assert (len(outcome.repaired), outcome.faults) == (1, [])
    parts.cluster.meddle("one", "theirs")
    (fault,) = (await parts.place()).faults
    assert fault.reason == CONTESTED
    assert f"data.one ({MEDDLER})" in fault.message
    written = len(parts.cluster.applied)

    parts.cluster.meddle("other", "theirs")
    outcome = await parts.place()
    assert parts.data() == {"one": "theirs", "other": "2"}
    assert [*map(str, outcome.repaired)] == [f"ConfigMap pictures-config: data.other ({MEDDLER})"]
    assert [each.reason for each in outcome.faults] == [CONTESTED], "the fight is still told"

    assert [each.reason for each in (await parts.place()).faults] == [CONTESTED]
    assert len(parts.cluster.applied) == written + 1, "and nothing is written for it"


async def test_what_was_given_up_is_fought_for_again_once_and_counted(parts: Parts) -> None:
    now = 0.0
    parts.objects._contest = Contest(lambda: now)
    for _ in range(LIMIT):
        parts.cluster.meddle("one", "theirs")
        await parts.place()
    parts.cluster.meddle("one", "theirs")
    parts.cluster.meddle("other", "theirs")
    await parts.place()
    assert parts.data() == {"one": "theirs", "other": "2"}

    now = WINDOW_SECONDS
    outcome = await parts.place()
    assert ([*map(str, outcome.repaired)], outcome.updated) == (
        [f"ConfigMap pictures-config: data.one ({MEDDLER})"],
        [],
    )
    assert parts.data() == {"one": "1", "other": "2"}


async def test_an_edit_of_the_spec_arrives_beside_a_contested_field(parts: Parts) -> None:
    for _ in range(LIMIT + 1):
        parts.cluster.meddle("one", "theirs")
        await parts.place()
    parts.desired["data"]["other"] = "3"
    assert (await parts.place()).updated
    assert parts.data() == {"one": "theirs", "other": "3"}


async def test_an_object_that_is_deleted_again_and_again_is_not_made_in_a_loop(parts: Parts) -> None:
    for _ in range(LIMIT):
        parts.delete()
        assert [*map(str, (await parts.place()).repaired)] == ["ConfigMap pictures-config: it was deleted"]
    parts.delete()
    (fault,) = (await parts.place()).faults
    assert (fault.reason, parts.cluster.live) == (CONTESTED, None)
    assert "keeps deleting it" in fault.message


async def test_what_a_webhook_rewrites_is_not_written_again_by_a_new_process(parts: Parts) -> None:
    parts.cluster.rewrite = {"one": "rewritten"}
    parts.desired["data"]["other"] = "3"
    await parts.place()
    before = len(parts.cluster.applied)
    parts.restart()
    outcome = await parts.place()
    assert (outcome.updated, outcome.repaired, len(parts.cluster.applied)) == ([], [], before)
    assert parts.cluster.dry_runs == 1

    await parts.place()
    assert (len(parts.cluster.applied), parts.cluster.dry_runs) == (before, 1), "it is known from now on"


async def test_what_is_wanted_otherwise_since_is_written_by_a_new_process(parts: Parts) -> None:
    parts.desired["data"]["other"] = "3"
    parts.restart()
    assert (await parts.place()).updated
    assert parts.data() == {"one": "1", "other": "3"}


async def _overwrite(parts: Parts, **data: str) -> None:
    """Write as another operator of this kind does: under our own field manager."""
    await parts.cluster.apply(CONFIG_MAP, {**parts.desired, "data": {**parts.desired["data"], **data}})


async def test_another_operator_that_writes_the_same_object_is_given_way_and_told(parts: Parts) -> None:
    for number in range(LIMIT):
        await _overwrite(parts, one="theirs")
        outcome = await parts.place()
        assert [*map(str, outcome.repaired)] == ["ConfigMap pictures-config: changed under the operator's own name"]
        assert parts.data()["one"] == "1"
        assert [each.reason for each in outcome.faults] == ([CONTESTED] if number >= LIMIT - 2 else [])
    assert [each.reason for each in (await parts.place()).faults] == [CONTESTED], "though it says what we want"
    await _overwrite(parts, one="theirs")
    written = len(parts.cluster.applied)
    for _ in range(2):
        (fault,) = (await parts.place()).faults
        assert "another operator" in fault.message
    assert (len(parts.cluster.applied), parts.data()["one"]) == (written, "theirs")

    parts.desired["data"]["other"] = "3"
    assert (await parts.place()).updated, "an edit of the spec arrives all the same"
    assert parts.data() == {"one": "1", "other": "3"}


async def test_both_say_it_though_one_came_to_want_something_else_and_counted_a_repair_less(parts: Parts) -> None:
    """So it is where both are there when a resource is made: the keys that one of them has made are overwritten."""
    rival = Parts(parts.cluster)
    rival.desired["data"]["one"] = "theirs"
    await rival.place()
    assert (await parts.place()).repaired
    rival.desired["data"]["other"] = "3"
    assert (await rival.place()).updated
    for _ in range(LIMIT - 1):
        for each in (parts, rival):
            assert (await each.place()).repaired
    written = len(parts.cluster.applied)
    for each in (parts, rival):
        assert [fault.reason for fault in (await each.place()).faults] == [CONTESTED]
    assert (len(parts.cluster.applied), parts.data()["one"]) == (written, "theirs")


@pytest.mark.parametrize("repairs", [LIMIT - 1, LIMIT])
async def test_another_operator_is_told_of_and_given_way_for_a_while(parts: Parts, repairs: int) -> None:
    now = 0.0
    parts.objects._contest = Contest(lambda: now)
    for _ in range(repairs):
        await _overwrite(parts, one="theirs")
        await parts.place()
    assert parts.objects.rivalled([identify(parts.desired)])
    now = WINDOW_SECONDS
    assert not parts.objects.rivalled([identify(parts.desired)])
    await _overwrite(parts, one="theirs")
    assert not (await parts.place()).faults
    assert parts.data()["one"] == "1"


@pytest.mark.parametrize("orphaned", [False, True])
async def test_an_object_that_lost_its_owner_is_taken_back_for_a_resource_that_is_there_only(
    parts: Parts, *, orphaned: bool
) -> None:
    """The garbage collector takes the reference away where a resource is deleted with `--cascade=orphan`."""
    assert parts.cluster.live is not None
    owner = {"kind": "TextToImageService", "name": "pictures", "uid": "0f0f", "controller": True}
    parts.cluster.live["metadata"]["ownerReferences"] = [] if orphaned else [owner]
    parts.cluster.bump()
    parts.children.observe(CONFIG_MAP, parts.cluster.live)
    assert parts.objects.owns(identify(parts.desired), resource())
    assert parts.objects.in_doubt(resource(), [parts.desired]) == orphaned


async def test_who_holds_an_object_of_a_deleted_resource_is_named(parts: Parts) -> None:
    assert parts.cluster.live is not None
    owner = {"kind": "TextToImageService", "name": "pictures", "uid": "another", "controller": True}
    parts.cluster.live["metadata"] |= {"ownerReferences": [owner], "finalizers": ["example.com/held"]}
    parts.restart()
    waits = "ConfigMap pictures-config belongs to a deleted TextToImageService pictures; it is being collected"
    assert (await parts.place()).waiting.startswith(f"{waits}, held by example.com/held: ")
    parts.cluster.live["metadata"]["finalizers"] = []
    assert (await parts.place()).waiting == waits
