"""Few calls share few connections, many are spread, and none is refused a client."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from t2i_service.providers.http_pools import POOL_SIZE, Pools


async def test_one_call_after_another_has_the_same_client() -> None:
    pools = Pools(4 * POOL_SIZE)
    used = []
    for _ in range(10):
        with pools.client() as client:
            used.append(client)
    with pytest.raises(LookupError), pools.client():
        raise LookupError
    with pools.client() as client:
        used.append(client)
    assert len(set(map(id, used))) == 1
    await pools.aclose()
    assert client.is_closed


async def test_many_calls_are_spread_over_no_more_clients_than_are_allowed() -> None:
    pools = Pools(2 * POOL_SIZE + 1)
    with ExitStack() as calls:
        used = [calls.enter_context(pools.client()) for _ in range(6 * POOL_SIZE)]
        spread = [sum(client is each for each in used) for client in dict.fromkeys(used)]
        assert spread == [2 * POOL_SIZE] * 3
    with pools.client() as client:
        assert client is used[0]
    await pools.aclose()
