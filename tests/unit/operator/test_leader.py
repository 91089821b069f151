"""The Lease after a restart, which a test on a cluster cannot tell from a short wait, and one that may not be had."""

import aiohttp
import pytest
from structlog.testing import capture_logs
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import Kind, Object
from t2i_operator.runtime.leader import Candidate, Leader


class Held(Cluster):
    """Holds one Lease."""

    def __init__(self, session: aiohttp.ClientSession, holder: str) -> None:
        super().__init__(session)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "now", "leaseTransitions": 1}
        self.lease: Object = {"metadata": {"resourceVersion": "1"}, "spec": spec}
        self.refusal: ApiError | None = None

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        if self.refusal:
            raise self.refusal
        return self.lease

    async def replace(self, kind: Kind, body: Object, *, seconds: float = 0) -> Object:
        self.lease = body
        return body


@pytest.mark.parametrize(("holder", "taken"), [("me", True), ("another", False), ("", True)])
async def test_ones_own_lease_is_taken_at_once(holder: str, *, taken: bool) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Held(session, holder)
        leader = Leader(cluster, Candidate(namespace="n", name="l", identity="me"))
        assert await leader._attempt(leader._acquire) is taken
        assert (leader.time_left() > 0) is taken


async def test_a_lease_that_may_not_be_had_is_told_once_until_it_may() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Held(session, "")
        leader = Leader(cluster, Candidate(namespace="here", name="text-to-image-operator-red", identity="me"))
        cluster.refusal = ApiError(403, "Forbidden", "leases is forbidden")
        with capture_logs() as logs:
            for _ in range(3):
                assert not await leader._attempt(leader._acquire)
        (told,) = logs
        assert told["log_level"] == "error"
        assert (told["namespace"], told["lease"]) == ("here", "text-to-image-operator-red")
        assert leader.refused

        cluster.refusal = ApiError(503, "Unavailable", "try again")
        assert not await leader._attempt(leader._acquire)
        assert not leader.refused, "what passes by itself is no missing right"

        cluster.refusal = ApiError(403, "Forbidden", "leases is forbidden")
        with capture_logs() as logs:
            assert not await leader._attempt(leader._acquire)
        assert [each["log_level"] for each in logs] == ["error"]
        cluster.refusal = None
        assert await leader._attempt(leader._acquire)
        assert not leader.refused
