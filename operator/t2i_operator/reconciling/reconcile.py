"""The one function for create, update, restart, drift and resync: make the cluster say what the resource says."""

import time

from t2i_operator import naming, spec
from t2i_operator.builders import strategic
from t2i_operator.builders.pod_disruption_budget import several_pods
from t2i_operator.known import credentials, references
from t2i_operator.known.cache import Cache
from t2i_operator.known.faults import READY
from t2i_operator.known.identity import Id, identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.known.version_cache import VersionCache
from t2i_operator.kube.cluster import ApiError, Cluster, NotLeadingError
from t2i_operator.kube.kinds import DEPLOYMENT, RESOURCE, Object
from t2i_operator.naming import Key
from t2i_operator.reconciling import unread
from t2i_operator.reconciling.facts import Expected, Facts, Ledger, Pass
from t2i_operator.reconciling.failure_grace import FailureGrace
from t2i_operator.reconciling.judgement import Judgement
from t2i_operator.reconciling.objects import Objects
from t2i_operator.reconciling.observe import Observer
from t2i_operator.reconciling.pause import Pause
from t2i_operator.reconciling.placement import Placement
from t2i_operator.reconciling.prune import Pruner
from t2i_operator.reconciling.requeue import is_polled, requeue_after, urgency
from t2i_operator.reconciling.wanted import wanted
from t2i_operator.settings import Settings
from t2i_operator.status.conditions import was_ready
from t2i_operator.status.report import Reporter


class GoneError(Exception):
    """The resource was deleted while it was reconciled."""


class Reconciler:
    """Reconciles one resource at a time; the caller sees to it that no two calls have the same key."""

    def __init__(
        self, cluster: Cluster, cache: Cache, version_cache: VersionCache, reporter: Reporter, settings: Settings
    ) -> None:
        self._cluster, self._cache, self._version_cache = cluster, cache, version_cache
        self._reporter, self._settings = reporter, settings
        self._observer = Observer(cluster, image=settings.service_image, jaeger_image=settings.jaeger_image)
        self._objects = Objects(cluster, cache.children)
        self._placement = Placement(cluster, self._objects)
        self._pause = Pause(self._objects, self._placement)
        self._pruner = Pruner(cluster, cache.children)
        self._judgement = Judgement(cluster, cache, settings.namespaces)
        self.selection = self._judgement.selection
        self._ledger = Ledger()
        self._failure_grace = FailureGrace()

    async def reconcile(self, key: Key) -> float | None:
        """Bring one resource's objects and status into line; return in how many seconds to look again, None: never.

        Raises what failed. The status has said so, unless it may end by itself and has not lasted yet: then the
        condition that it counts for stays as it is, or the whole status (see `failure_grace`).
        """
        seen = self._cache.resources.get(key)
        if seen is None or seen.deleting:
            self._forget(key)
            return None
        body = seen.body()
        if body["spec"].get("className") != self._settings.class_name:
            self._forget(key)
            return None
        outcome = Outcome(generation=seen.generation)
        try:
            await self._attempt(key, body, outcome)
        except GoneError:
            self._cache.resources.drop(key, seen.uid)
            self._forget(key)
            return None
        if READY not in self._failure_grace.in_grace(key, outcome.failures):
            await self._judgement.judge(key, seen.uid, outcome)
        failures = outcome.failures
        self._failure_grace.note(key, failures)
        outcome.in_grace = self._failure_grace.in_grace(key, failures)
        if READY in outcome.in_grace:
            await self._reporter.report_deeds(key, seen, outcome)
        else:
            await self._reporter.report(key, seen, outcome)
        if failures:
            raise max((each.error for each in failures), key=urgency)
        return requeue_after(outcome, self._settings)

    def poll_seconds(self, key: Key) -> float | None:
        """Return how often a resource has to be looked at, though it fails, for what no event tells of; None: never."""
        seen = self._cache.resources.get(key)
        try:
            resource = spec.parse(seen.body()) if seen else None
        except spec.InvalidSpec:
            return None
        return self._settings.poll_seconds if is_polled(resource) else None

    def _forget(self, key: Key) -> None:
        self._ledger.forget(key)
        self._failure_grace.forget(key)
        self._pause.forget(key)
        self._reporter.forget(key)

    async def _attempt(self, key: Key, body: Object, outcome: Outcome) -> None:
        """Bring it about as far as it can be; `outcome` has what failed, and what the user has to mend in the spec."""
        try:
            await self._bring_about(key, body, outcome)
        except (spec.InvalidSpec, strategic.InvalidPatchError) as error:
            outcome.invalid = str(error)
        except (GoneError, NotLeadingError):
            raise
        except ApiError as error:
            outcome.failure = error.message
            outcome.cannot_judge([READY], error)
        except Exception as error:  # raised again by the caller, after the status has said so
            outcome.failure = f"{type(error).__name__}: this is a bug of the operator, and its log has the traceback"
            outcome.cannot_judge([READY], error)

    async def _bring_about(self, key: Key, body: Object, outcome: Outcome) -> None:
        resource = outcome.resource = spec.parse(body)
        outcome.absent = self._cache.absences.of(key.namespace)
        rollout = self._judgement.rollout(key, resource.metadata.uid)
        last = self._recall(key, resource, outcome)
        carried_out = last is not None or self._was_ready(key, outcome.generation)
        facts = await self._facts(resource, outcome, rollout, carried_out=carried_out)
        if last is not None and self._unchanged(last, key, facts):
            return
        desired = await wanted(self._observer, resource, facts.versions, rollout, outcome)
        if resource.spec.paused:
            await self._pause.look(resource, desired, outcome)
            return
        if self._objects.in_doubt(resource, desired):
            await self._confirm(resource)
        expected = await self._place(key, resource, desired, outcome)
        if not outcome.placed:
            if not outcome.stopped and Id(DEPLOYMENT, key.namespace, naming.deployment(key.name)) in expected:
                await self._pruner.end_scaling(resource, outcome)
            return
        outcome.rollout = self._judgement.rollout(key, resource.metadata.uid)
        await self._judgement.judge_route(resource, outcome)
        stays = await self._pruner.prune(resource, set(map(identify, desired)), outcome)
        if outcome.complete and not outcome.unjudged:
            complete = Pass(
                facts=facts,
                expected=self._cache.children.interned(key, expected),
                stays=stays,
                credentials=outcome.credentials,
                lacks=outcome.lacks,
                at=time.monotonic(),
            )
            self._ledger.record_complete(key, complete)

    def _recall(self, key: Key, resource: spec.TextToImageService, outcome: Outcome) -> Pass | None:
        """Return the last complete pass of this very spec, and start with what it found."""
        last, metadata = self._ledger.last(key), resource.metadata
        if last is not None and (last.facts.uid, last.facts.generation) == (metadata.uid, metadata.generation):
            outcome.credentials, outcome.lacks = last.credentials, last.lacks
            return last
        outcome.unseen = references.conditions(resource)
        outcome.credentials = credentials.not_given(resource)
        return None

    def _was_ready(self, key: Key, generation: int) -> bool:
        """Ask what is stored: another process may have said it, and of what only observes a pass may never complete."""
        seen = self._cache.resources.get(key)
        return seen is not None and was_ready(seen.status_object().get("conditions", ()), generation)

    async def _place(
        self, key: Key, resource: spec.TextToImageService, wanted: list[Object], outcome: Outcome
    ) -> Expected:
        """Put the objects into place, and remember which are."""
        uid = resource.metadata.uid
        expected = await self._placement.place(resource, wanted, outcome, self._ledger.placed(key, uid))
        made = {identity: digest for identity, digest in expected.items() if self._objects.owns(identity, resource)}
        self._ledger.note(key, uid, map(identify, wanted), made)
        return expected

    async def _facts(
        self, resource: spec.TextToImageService, outcome: Outcome, rollout: Rollout | None, *, carried_out: bool
    ) -> Facts:
        metadata = resource.metadata
        return Facts(
            metadata.uid,
            metadata.generation,
            await unread.versions(self._version_cache, resource, outcome, carried_out=carried_out),
            outcome.absent,
            several_pods(resource, rollout.wanted if rollout else 0),
        )

    def _unchanged(self, last: Pass, key: Key, facts: Facts) -> bool:
        if last.facts != facts or time.monotonic() - last.at >= self._settings.resync_seconds:
            return False
        if self._objects.rivalled(last.expected):
            return False
        if any(map(self._cache.children.successor_is_synced, last.stays)):
            return False
        owned = dict(self._cache.children.of(key, facts.uid))
        return owned.keys() == {*last.expected, *last.stays} and all(
            owned[identity].in_sync(expected) for identity, expected in last.expected.items()
        )

    async def _confirm(self, resource: spec.TextToImageService) -> None:
        """Ask the API server whether the resource is still there, before making objects for it or taking them back."""
        metadata = resource.metadata
        live = await self._cluster.get(RESOURCE, metadata.namespace, metadata.name, metadata_only=True)
        if live is None or live["metadata"]["uid"] != metadata.uid or "deletionTimestamp" in live["metadata"]:
            raise GoneError
