"""Leader election by a Lease, counted on the monotonic clock.

The client library's election trusts the wall clock, never releases, and its renewals can hang; here no write starts
after the renew deadline (`time_left`), and none outlives the lease.
"""

import asyncio
import contextlib
import datetime
import time
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import LEASE, Object

log = structlog.get_logger(__name__)


class LeadershipLostError(Exception):
    """The lease could not be renewed in time; the process must stop writing and exit."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants which Lease, and how long it holds; the times are client-go's."""

    namespace: str
    name: str
    identity: str
    lease_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_seconds: float = 1.0


class Leader:
    """Holds one Lease, or waits for it."""

    def __init__(self, cluster: Cluster, candidate: Candidate, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster, self._candidate, self._clock = cluster, candidate, clock
        self._renewed_at: float | None = None
        self._lease: Object | None = None
        self._seen: tuple[object, ...] = ()
        self._seen_at = clock()
        self.leading = asyncio.Event()
        self.refused = False

    def time_left(self) -> float:
        """Return the seconds that a write which starts now may take; 0 when none may start."""
        if self._renewed_at is None:
            return 0.0
        age = self._clock() - self._renewed_at
        return self._candidate.lease_seconds - age if age < self._candidate.renew_deadline_seconds else 0.0

    async def run(self) -> None:
        """Wait for the lease, then keep it; raise `LeadershipLostError` when it cannot be kept."""
        retry = self._candidate.retry_seconds
        while not await self._attempt(self._acquire):  # noqa: ASYNC110 - what is waited for is on another machine
            await asyncio.sleep(retry)
        log.info("leading", identity=self._candidate.identity)
        self.leading.set()
        while self.time_left() > 0:
            await asyncio.sleep(2 * retry)
            await self._attempt(self._renew)
        raise LeadershipLostError(f"the lease {self._candidate.name} was not renewed in time")

    async def release(self) -> None:
        """Clear the holder, so that the next leader need not wait for the lease to run out."""
        if self._lease is None or self.time_left() == 0:
            return
        self._renewed_at = None
        with contextlib.suppress(LeadershipLostError):
            for _ in range(2):
                if await self._attempt(self._clear):
                    return

    async def _attempt(self, step: Callable[[], Awaitable[bool]]) -> bool:
        try:
            done = await step()
        except ApiError as error:
            self._tell(error)
            return False
        self.refused = False
        return done

    def _tell(self, error: ApiError) -> None:
        """Tell a missing right once, and what to do; it is no reason for an end, since a restart brings none back."""
        known, self.refused = self.refused, error.is_forbidden
        if not self.refused:
            log.warning("lease not written", status=error.status, error=error.message)
        elif not known:
            log.error(
                "may not have its Lease, without which it does nothing: grant its ServiceAccount, in that namespace,"
                " create on leases, and get and update on the one of this name",
                namespace=self._candidate.namespace,
                lease=self._candidate.name,
                error=error.message,
            )

    async def _acquire(self) -> bool:
        lease = await self._cluster.get(LEASE, self._candidate.namespace, self._candidate.name)
        spec = lease.get("spec", {}) if lease else {}
        if lease is not None and self._held_by_another(lease, spec):
            return False
        self._lease = lease
        now = _now()
        transitions = int(spec.get("leaseTransitions") or 0) + (lease is not None)
        return await self._put(self._held({"acquireTime": now, "leaseTransitions": transitions}, now))

    def _held_by_another(self, lease: Object, spec: Object) -> bool:
        """Give the holder a full lease from when we saw its last renewal; its clock may be another's.

        Our own name was left by the container before this one: as with client-go, there is nobody to wait for.
        """
        if spec.get("holderIdentity") == self._candidate.identity:
            return False
        seen = (spec.get("holderIdentity"), spec.get("renewTime"), lease["metadata"]["resourceVersion"])
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
        holds_for = float(spec.get("leaseDurationSeconds") or 0)
        return bool(spec.get("holderIdentity")) and self._clock() - self._seen_at < holds_for

    async def _renew(self) -> bool:
        spec = self._lease["spec"] if self._lease else {}
        return await self._put_over(self._held(spec, _now()))

    async def _clear(self) -> bool:
        spec = self._lease["spec"] if self._lease else {}
        return await self._put_over({**spec, "holderIdentity": "", "leaseDurationSeconds": 1})

    async def _put_over(self, spec: Object) -> bool:
        """Write over what was seen last; when that is no longer the newest, see it anew for the next attempt."""
        try:
            return await self._put(spec)
        except ApiError as error:
            if error.is_conflict:
                await self._reread()
            raise

    def _held(self, spec: Object, now: str) -> Object:
        candidate = self._candidate
        term = {"leaseDurationSeconds": int(candidate.lease_seconds), "renewTime": now}
        return {**spec, "holderIdentity": candidate.identity, **term}

    async def _put(self, spec: Object) -> bool:
        """Write the lease; it holds from before it was sent."""
        started = self._clock()
        candidate = self._candidate
        fresh = {"namespace": candidate.namespace, "name": candidate.name}
        metadata = self._lease["metadata"] if self._lease else fresh
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
        write = self._cluster.replace if self._lease else self._cluster.create
        self._lease = await write(LEASE, body, seconds=candidate.renew_deadline_seconds / 2)
        if spec["holderIdentity"]:
            self._renewed_at = started
        return True

    async def _reread(self) -> None:
        """Tell a lease that another took from one that somebody only annotated."""
        lease = await self._cluster.get(LEASE, self._candidate.namespace, self._candidate.name)
        if lease is None or lease.get("spec", {}).get("holderIdentity") != self._candidate.identity:
            self._renewed_at = None
            raise LeadershipLostError(f"the lease {self._candidate.name} is held by another")
        self._lease = lease


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
