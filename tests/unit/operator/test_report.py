"""What is said where another operator says otherwise; tests/cluster has what is said where there is one."""

import contextlib
from typing import Any

import aiohttp
import pytest
from t2i_operator.known.contest import LIMIT
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.known.resources import Resources
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import SERVICE, Kind, Object
from t2i_operator.naming import FIELD_MANAGER, Key
from t2i_operator.status.metrics import Metrics
from t2i_operator.status.report import Reporter

from tests.unit.operator.resources import resource

KEY = Key("studio", "pictures")
FAILING = ApiError(500, "InternalError", "etcdserver: leader changed")


class Storing(Cluster):
    """Holds one resource, of which it stores the status."""

    def __init__(self, session: aiohttp.ClientSession, resources: Resources) -> None:
        super().__init__(session)
        self.resources, self.written, self._version, self.generation = resources, 0, 0, 1
        self.refusal: ApiError | None = None
        self.posted: list[str] = []
        self.said({})

    def said(self, status: Object) -> None:
        """Store a status as an operator writes it, and show what is stored."""
        self.resources.observe(self._store(status))

    def _store(self, status: Object) -> Object:
        self._version += 1
        entry = {"manager": FIELD_MANAGER, "subresource": "status", "fieldsV1": {"f:status": _fields(status)}}
        metadata = {**KEY._asdict(), "uid": "0f0f", "generation": self.generation}
        metadata |= {"resourceVersion": str(self._version), "managedFields": [entry]}
        self.live = {"metadata": metadata, "spec": {}, "status": status}
        return self.live

    async def apply_status(self, kind: Kind, body: Object) -> Object:
        if self.refusal:
            raise self.refusal
        self.written += 1
        return self._store(body["status"])

    async def create(self, kind: Kind, body: Object, **_: Any) -> Object:
        self.posted.append(body["reason"])
        return body


def _fields(status: Object) -> Object:
    return {f"f:{name}": {} for name in status}


@pytest.mark.parametrize("rivalled", [True, False])
async def test_two_operators_do_not_write_over_each_other_s_status_for_ever(*, rivalled: bool) -> None:
    resources = Resources()
    async with aiohttp.ClientSession() as session:
        cluster = Storing(session, resources)
        reporter = Reporter(cluster, resources, Metrics(), instance="one")

        async def report() -> None:
            seen = resources.get(KEY)
            assert seen is not None
            outcome = Outcome(generation=1, resource=resource(), rivalled=rivalled)
            await reporter.report(KEY, seen, outcome)

        await report()
        await report()
        assert cluster.written == 1, "nothing has changed"
        for _ in range(3 * LIMIT):
            cluster.said({"observedGeneration": 1, "conditions": [], "replicas": 7})
            await report()
        assert cluster.written == 1 + (LIMIT if rivalled else 3 * LIMIT)


async def test_a_status_that_could_not_be_written_is_nobody_else_s() -> None:
    resources = Resources()
    async with aiohttp.ClientSession() as session:
        cluster = Storing(session, resources)
        reporter = Reporter(cluster, resources, Metrics(), instance="one")

        async def report(invalid: str) -> None:
            seen = resources.get(KEY)
            assert seen is not None
            await reporter.report(KEY, seen, Outcome(generation=1, invalid=invalid, rivalled=True))

        await report("")
        cluster.refusal = FAILING
        for number in range(2 * LIMIT):
            with pytest.raises(ApiError):
                await report(f"spec.replicas: {number}")
        cluster.refusal = None
        await report("spec.replicas: -1")
        assert cluster.written == 2


async def test_an_edit_just_before_our_write_is_not_taken_from_its_answer() -> None:
    resources = Resources()
    async with aiohttp.ClientSession() as session:
        cluster = Storing(session, resources)
        reporter = Reporter(cluster, resources, Metrics(), instance="one")
        for generation in (1, 2):
            cluster.generation, seen = generation, resources.get(KEY)
            assert seen is not None
            await reporter.report(KEY, seen, Outcome(generation=1, invalid=f"spec.replicas: -{generation}"))
            assert resources.observe(cluster.live) is (generation == 2), "only the event of an edit queues it"
        assert cluster.written == 2


async def test_what_was_done_is_told_though_the_status_cannot_be_written() -> None:
    """The next pass finds it done, and has nothing to tell."""
    resources, metrics = Resources(), Metrics()
    async with aiohttp.ClientSession() as session:
        cluster = Storing(session, resources)
        cluster.refusal, seen = FAILING, resources.get(KEY)
        assert seen is not None
        repair = Repair(Id(SERVICE, KEY.namespace, "pictures-service"), "it was deleted")
        outcome = Outcome(generation=1, invalid="spec.replicas: -1", repaired=[repair])
        with pytest.raises(ApiError):
            await Reporter(cluster, resources, metrics, instance="one").report(KEY, seen, outcome)
    assert metrics.registry.get_sample_value("t2i_operator_drift_repaired_total", {"kind": "Service"}) == 1
    assert cluster.posted == ["Repaired"], "and nothing is told of what is not stored"


@pytest.mark.parametrize(("reason", "known"), [("NotFound", False), ("Unknown", True)], ids=["its own", "a proxy's"])
async def test_only_the_api_servers_own_404_says_that_the_resource_is_gone(reason: str, *, known: bool) -> None:
    resources = Resources()
    async with aiohttp.ClientSession() as session:
        cluster = Storing(session, resources)
        cluster.refusal, seen = ApiError(404, reason, "not found"), resources.get(KEY)
        assert seen is not None
        reporter = Reporter(cluster, resources, Metrics(), instance="one")
        with pytest.raises(ApiError) if known else contextlib.nullcontext():
            await reporter.report(KEY, seen, Outcome(generation=1, invalid="spec.replicas: -1"))
    assert (resources.get(KEY) is not None) is known
