"""All objects of a resource, and what would change in the cluster.

The API server fills in, checks and merges everything in dry runs, so that what is shown is what it would store.
"""

import sys

from t2i_operator import naming, spec
from t2i_operator.known import drift, references
from t2i_operator.known.children import Children
from t2i_operator.known.faults import APPLY_FAILED
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import rollout
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, OPTIONAL, Object
from t2i_operator.preview.printout import DIFFERS, SAME, documents, write_change
from t2i_operator.preview.unwanted import write_unwanted
from t2i_operator.reconciling import handover, reclaim, replacement
from t2i_operator.reconciling.finding import find, named
from t2i_operator.reconciling.objects import Objects
from t2i_operator.reconciling.observe import Observer
from t2i_operator.reconciling.ownership import Whose, whose
from t2i_operator.reconciling.placement import lacking
from t2i_operator.reconciling.wanted import wanted
from t2i_operator.settings import Settings


class Preview:
    """Goes the reconciler's way up to the first write."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self._cluster = cluster
        self._objects = Objects(cluster, Children())
        self._observer = Observer(cluster, image=settings.service_image, jaeger_image=settings.jaeger_image)

    async def render(self, resource: spec.TextToImageService) -> int:
        """Print the objects as they would be applied."""
        outcome = _outcome(resource)
        desired = await self._desired(resource, await self._get(_deployment(resource)), outcome)
        sys.stdout.write(documents([body for body in desired if not _left(identify(body), outcome)]))
        return SAME

    async def diff(self, resource: spec.TextToImageService) -> int:
        """Print a unified difference for each object that would be made, changed or deleted."""
        if resource.spec.paused:
            sys.stdout.write("# spec.paused is true: nothing of this is done\n")
        deployment, outcome = await self._get(_deployment(resource)), _outcome(resource)
        desired = {identify(body): body for body in await self._desired(resource, deployment, outcome)}
        status, ours = SAME, set[Id]()
        for identity, body in desired.items():
            if not _left(identity, outcome):
                status |= await self._placed(resource, body, outcome, ours)
        return status | await write_unwanted(self._cluster, resource, desired, outcome)

    async def _placed(self, resource: spec.TextToImageService, body: Object, outcome: Outcome, ours: set[Id]) -> int:
        """Print what would become of one object, and take note in `ours` when it would be the resource's."""
        identity = identify(body)
        try:
            live = await self._get(identity)
        except ApiError as error:
            if identity.kind not in OPTIONAL or not error.is_forbidden:
                raise
            outcome.absent[identity.kind] = Absence.FORBIDDEN
            sys.stdout.write(f"# {identity} cannot be looked at: {error.message}\n")
            return SAME
        if live is not None and whose(live, resource) is Whose.OURS:
            ours.add(identity)
        lacks = lacking(identity, resource, outcome, ours.__contains__)
        if lacks is not None:
            stays = "stay as it is" if live else "not be made"
            sys.stdout.write(f"# {identity} would {stays}: it needs {lacks}, which is not in its place\n")
            return SAME
        if live is not None and not await self._objects.check_owner(live, body, resource, outcome):
            said = [fault.message for fault in outcome.faults if fault.identity == identity]
            sys.stdout.write(f"# {said[0] if said else outcome.waiting}\n")
            return SAME
        try:
            return await self._applied(resource, body, live, outcome, ours)
        except ApiError as error:
            if not error.is_forbidden:
                raise
            sys.stdout.write(f"# {identity} would be refused: {error.message}\n")
            outcome.failed(identity, APPLY_FAILED, error)
            return DIFFERS

    async def _applied(
        self, resource: spec.TextToImageService, body: Object, live: Object | None, outcome: Outcome, ours: set[Id]
    ) -> int:
        """Print what an apply would change, or why that cannot be shown."""
        identity = identify(body)
        kept = handover.kept_replicas(live) if live is not None and identity.kind == DEPLOYMENT else None
        if kept is not None:
            body["spec"].setdefault("replicas", kept)
        try:
            applied = await self._cluster.apply(identity.kind, body, dry_run=True)
        except ApiError as error:
            if identity.kind in OPTIONAL and error.is_not_found:
                outcome.absent[identity.kind] = Absence.MISSING
                sys.stdout.write(f"# {identity} would not be made: the cluster does not serve its kind\n")
                return SAME
            if live is not None and error.is_invalid and reclaim.claim(body, live):
                put_back = named(find(body, drift.expected(body), live, ()).put_back)
                sys.stdout.write(f"# {identity} would be repaired, and what stands in its place go: {put_back}\n")
                return DIFFERS
            if identity not in ours or not replacement.is_due(identity, error):
                raise
            sys.stdout.write(f"# {identity} would be deleted and made anew: {' and '.join(error.fields)} is fixed\n")
            applied = await replacement.dry_run(self._cluster, identity, body)
        ours.add(identity)
        if identity == _deployment(resource):
            outcome.rollout = rollout(applied)
        return write_change(identity, live, applied)

    async def _desired(
        self, resource: spec.TextToImageService, deployment: Object | None, outcome: Outcome
    ) -> list[Object]:
        cache = VersionCache(self._cluster, max_age_seconds=0)
        versions = await cache.versions(resource.metadata.namespace, references.sources(resource))
        seen = rollout(deployment) if deployment else None
        try:
            desired = await wanted(self._observer, resource, versions, seen, outcome)
        finally:
            if outcome.credentials is not None:
                sys.stderr.write(f"{outcome.credentials.reason}: {outcome.credentials.message}\n")
        for failure in outcome.failures:
            raise failure.error
        for fault in outcome.faults:
            sys.stderr.write(f"{fault.reason}: {fault.message}\n")
        return desired

    async def _get(self, identity: Id) -> Object | None:
        return await self._cluster.get(*identity)


def _left(identity: Id, outcome: Outcome) -> bool:
    return any(fault.identity == identity for fault in outcome.faults)


def _outcome(resource: spec.TextToImageService) -> Outcome:
    return Outcome(generation=resource.metadata.generation, resource=resource)


def _deployment(resource: spec.TextToImageService) -> Id:
    return Id(DEPLOYMENT, resource.metadata.namespace, naming.deployment(resource.metadata.name))
