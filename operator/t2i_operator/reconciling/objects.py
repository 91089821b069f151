"""Brings one object into place: made, updated, repaired, adopted, or left alone because it is somebody else's."""

from collections.abc import Iterable

from t2i_operator import spec
from t2i_operator.known import drift
from t2i_operator.known.children import Child, Children
from t2i_operator.known.contest import EXISTENCE, RIVAL, Contest
from t2i_operator.known.faults import CONFLICT, CONTESTED, REPLACING
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome, Repair
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, Object
from t2i_operator.reconciling import handover, reclaim, replacement, unwatched
from t2i_operator.reconciling.finding import find, named
from t2i_operator.reconciling.ownership import (
    Whose,
    find_owner,
    foreign_message,
    former_message,
    leaving_message,
    rival_message,
    selector,
    selector_message,
    whose,
)


class Objects:
    """Places objects through the cluster and keeps their digests true."""

    def __init__(self, cluster: Cluster, children: Children) -> None:
        self._cluster, self._children, self._contest = cluster, children, Contest()
        self._leaving: set[Id] = set()

    def in_doubt(self, resource: spec.TextToImageService, wanted: list[Object]) -> bool:
        """Tell whether an object may have to be made, or be given its owner back.

        A resource that is gone must cause neither: with its owner back, what was to survive it would be collected.
        """
        known = [self._known(identify(desired), resource) for desired in wanted]
        return any(child is None or child.orphan for child in known)

    def owns(self, identity: Id, resource: spec.TextToImageService) -> bool:
        """Tell whether the object is known to be the resource's."""
        return self._known(identity, resource) is not None

    def watched(self, identity: Id, resource: spec.TextToImageService) -> bool:
        """Tell whether the object is the resource's, and events tell what becomes of it."""
        child = self._known(identity, resource)
        return child is not None and child.watched

    async def read(self, identity: Id, resource: spec.TextToImageService) -> Object | None:
        """Return the live object, though no event may tell of it."""
        return await unwatched.read(self._cluster, self._children, identity, resource.metadata.uid)

    def rivalled(self, identities: Iterable[Id]) -> bool:
        """Tell whether another operator fights over one of the objects, which both have to say, whoever wrote last."""
        return any(RIVAL in self._contest.fought_over(identity) for identity in identities)

    def in_sync(self, desired: Object) -> bool:
        """Tell whether the object is known to say what is wanted."""
        child = self._children.get(identify(desired))
        return child is not None and child.in_sync(drift.expected(desired))

    async def place(
        self, desired: Object, resource: spec.TextToImageService, outcome: Outcome, *, again: bool
    ) -> bytes:
        """Write only where something differs; return the fingerprint that the object has when nothing does.

        `again` says that the object was in place before, so that making it is a repair.
        """
        identity, expected = identify(desired), drift.expected(desired)
        child = self._known(identity, resource)
        if child is None or not child.in_sync(expected):
            with self._children.awaiting(identity):
                await self._write(desired, expected, resource, outcome, again=again)
        if self.rivalled([identity]):
            outcome.rivalled = True
            outcome.fault(identity, CONTESTED, rival_message(identity))
        return expected

    async def _write(
        self, desired: Object, expected: bytes, resource: spec.TextToImageService, outcome: Outcome, *, again: bool
    ) -> None:
        identity = identify(desired)
        child = self._known(identity, resource)
        if (
            child is not None
            and child.last_applied is not None
            and child.last_applied[0] != expected
            and not _hands_over(desired)
            and identity not in self._contest
            and await self._update(desired, expected, child.uid)
        ):
            outcome.updated.append(identity)
            return
        live = await self._cluster.get(*identity)
        if live is None:
            await self._make(desired, expected, outcome, again=again)
        elif await self.check_owner(live, desired, resource, outcome):
            try:
                await self._bring_back(live, desired, expected, outcome)
            except ApiError as error:
                if whose(live, resource) is not Whose.OURS or not replacement.is_due(identity, error):
                    raise
                await self._replace(live, desired, expected, outcome, error)

    async def _update(self, desired: Object, expected: bytes, uid: str) -> bool:
        """Write without a look at the object; False when only a look tells why that was refused."""
        try:
            await self._apply(desired, expected, uid)
        except ApiError as error:
            if not (error.is_conflict or error.is_invalid):
                raise
            return False
        return True

    def _known(self, identity: Id, resource: spec.TextToImageService) -> Child | None:
        child = self._children.get(identity)
        return child if child is not None and child.owner == resource.metadata.uid else None

    async def is_leaving(self, live: Object, resource: spec.TextToImageService) -> bool:
        """Tell whether a live object makes room for ours, together with one of the resource's."""
        return await find_owner(self._cluster, live, resource) is Whose.LEAVING

    async def check_owner(
        self, live: Object, desired: Object, resource: spec.TextToImageService, outcome: Outcome
    ) -> bool:
        """Tell whether a live object is the resource's, or offered to it; the outcome says why it is not."""
        identity, owner = identify(desired), await find_owner(self._cluster, live, resource)
        if owner is Whose.FORMER:
            outcome.waiting = former_message(identity, live)
        elif owner is Whose.LEAVING:
            outcome.fault(identity, REPLACING, leaving_message(identity, live))
        elif owner is Whose.FOREIGN:
            outcome.fault(identity, CONFLICT, foreign_message(identity, live, resource))
        elif owner is Whose.OFFERED and identity.kind == DEPLOYMENT and selector(live) != selector(desired):
            outcome.fault(identity, CONFLICT, selector_message(identity, live))
        else:
            return True
        return False

    async def _make(self, desired: Object, expected: bytes, outcome: Outcome, *, again: bool) -> None:
        identity = identify(desired)
        if identity in self._leaving:
            await self._apply(desired, expected)
            self._leaving.remove(identity)
            outcome.updated.append(identity)
        elif not again:
            await self._apply(desired, expected)
            outcome.created.append(identity)
        elif EXISTENCE in self._contest.given_up(identity):
            sentence = f"{identity}: somebody keeps deleting it; the API server's audit log tells who"
            outcome.fault(identity, CONTESTED, sentence)
        else:
            await self._apply(desired, expected)
            self._contest.repaired(identity, EXISTENCE)
            outcome.repaired.append(Repair(identity, "it was deleted"))

    async def _bring_back(self, live: Object, desired: Object, expected: bytes, outcome: Outcome) -> None:
        """Restore what others changed; what differs without anybody having changed it is an update of ours."""
        identity = identify(desired)
        if self._as_wanted(identity, live, expected):
            return
        given_up = self._contest.given_up(identity)
        found = find(desired, expected, live, given_up)
        if found.contested:
            outcome.fault(identity, CONTESTED, f"{identity}: another writer keeps changing {named(found.contested)}")
            if self._as_wanted(identity, live, found.expected):
                return
        overwritten = not found.changed and self._is_overwritten(identity, live, found.expected)
        if overwritten and RIVAL in given_up:
            return
        if not found.changed and await self._is_our_own_doing(live, found.desired, found.expected):
            return
        if _hands_over(desired):
            await handover.keep_live_replicas(self._cluster, live)
        applied = await self._overrule(live, found.desired, found.expected)
        if applied.version == int(live["metadata"]["resourceVersion"]):
            return  # what differs is the API server's or a webhook's doing, and is known from now on
        if overwritten:
            self._contest.repaired(identity, RIVAL)
            outcome.repaired.append(Repair(identity, "changed under the operator's own name"))
        elif put_back := found.put_back:
            self._contest.repaired(identity, *(each.field for each in put_back))
            outcome.repaired.append(Repair(identity, named(put_back)))
        else:
            outcome.updated.append(identity)

    async def _replace(
        self, live: Object, desired: Object, expected: bytes, outcome: Outcome, refusal: ApiError
    ) -> None:
        """Delete an object and make it anew, now or once it is let go; it is remembered that nobody else deleted it."""
        identity = identify(desired)
        await replacement.delete_for_replacement(self._cluster, identity, live, desired)
        self._leaving.add(identity)
        left = await self._cluster.get(*identity)
        if left is None:
            await self._make(desired, expected, outcome, again=False)
        else:
            outcome.fault(identity, REPLACING, replacement.waiting_message(identity, left, refusal))

    async def _is_our_own_doing(self, live: Object, desired: Object, expected: bytes) -> bool:
        """Ask by a dry run whether an apply would give what is there: a new process knows no webhook's rewriting."""
        identity = identify(desired)
        known = self._children.get(identity)
        if not drift.owned_fields(live) or (known is not None and known.last_applied is not None):
            return False
        try:
            tried = await self._cluster.apply(identity.kind, _to(live["metadata"]["uid"], desired), dry_run=True)
        except ApiError as error:
            if error.transient:
                raise
            return False  # not every webhook takes part in dry runs
        if drift.observed(tried) != drift.observed(live):
            return False
        self._children.applied(identity.kind, live, expected)
        return True

    def _is_overwritten(self, identity: Id, live: Object, expected: bytes) -> bool:
        """Tell whether what we applied was written anew though we want the same as then: by another operator."""
        known = self._children.get(identity)
        if known is None or known.last_applied is None or known.uid != live["metadata"]["uid"]:
            return False
        return known.last_applied[0] == expected and bool(drift.owned_fields(live))

    def _as_wanted(self, identity: Id, live: Object, expected: bytes) -> bool:
        """Tell whether there is nothing to write, as far as an apply of ours could make it so."""
        known = self._children.get(identity)
        found = drift.observed(live)
        wanted = found == expected or (known is not None and known.last_applied == (expected, found))
        if wanted:
            self._children.observe(identity.kind, live)
        return wanted

    async def _overrule(self, live: Object, desired: Object, expected: bytes) -> Child:
        """Apply; what others put beside a field of ours goes where the two are refused together."""
        identity, uid = identify(desired), live["metadata"]["uid"]
        try:
            return await self._apply(desired, expected, uid)
        except ApiError as error:
            claim = reclaim.claim(desired, live) if error.is_invalid else None
            if claim is None:
                raise
        await self._cluster.patch(identity.kind, identity.namespace, identity.name, claim)
        return await self._apply(desired, expected, uid)

    async def _apply(self, desired: Object, expected: bytes, uid: str = "") -> Child:
        """Apply to the object of this uid and no other, or make it when there is none."""
        kind = identify(desired).kind
        live = await self._cluster.apply(kind, _to(uid, desired) if uid else desired)
        return self._children.applied(kind, live, expected)


def _to(uid: str, desired: Object) -> Object:
    return {**desired, "metadata": {**desired["metadata"], "uid": uid}}


def _hands_over(desired: Object) -> bool:
    return desired["kind"] == DEPLOYMENT.name and "replicas" not in desired["spec"]
