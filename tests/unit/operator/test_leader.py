"""The Lease after a restart, which a test on a cluster cannot tell from a short wait."""

import aiohttp
import pytest
from t2i_operator.cluster import Cluster
from t2i_operator.kinds import Kind, Object
from t2i_operator.leader import Candidate, Leader


class Held(Cluster):
    """Holds one Lease."""

    def __init__(self, session: aiohttp.ClientSession, holder: str) -> None:
        super().__init__(session)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "now", "leaseTransitions": 1}
        self.lease: Object = {"metadata": {"resourceVersion": "1"}, "spec": spec}

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
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
