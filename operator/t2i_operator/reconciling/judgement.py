"""Looks at what lives of a resource, whatever came of an attempt to change it."""

import time
from collections.abc import Callable, Sequence

from t2i_operator import naming, spec
from t2i_operator.known.cache import Cache
from t2i_operator.known.faults import READY, ROUTE_READY, jaeger_of
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome, Verdict
from t2i_operator.known.rollout import Rollout
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, GRAFANA_DASHBOARD
from t2i_operator.naming import Key
from t2i_operator.reconciling import unwatched
from t2i_operator.reconciling.prune import awaits_grafana
from t2i_operator.reconciling.routing import Routing
from t2i_operator.reconciling.selection import Selection


class Judgement:
    """Fills in what an outcome says of live objects."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        namespaces: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._cluster, self._cache, self._clock = cluster, cache, clock
        self._routing = Routing(cluster, cache.children)
        self.selection = Selection(cluster, namespaces)

    async def judge(self, key: Key, uid: str, outcome: Outcome) -> None:
        """Look at all there is to tell of; what cannot be seen is Unknown, and keeps nothing else from being told."""
        await self._find(_deployment(key), uid, outcome)
        outcome.rollout = self.rollout(key, uid)
        outcome.overdue = outcome.rollout is not None and self._clock() >= outcome.rollout.given_up_at
        outcome.jaeger = self._jaeger(key, uid, outcome.resource)
        rollout = outcome.rollout or Rollout()
        outcome.trouble = self._cache.pods.newest_trouble(key, rollout)
        outcome.awaiting_node = self._cache.pods.awaiting_node(key, rollout)
        owned = dict(self._cache.children.of(key, uid))
        outcome.objects = [identity for identity, child in owned.items() if not child.deleting]
        dashboards = {identity: child.synced for identity, child in owned.items() if identity.kind == GRAFANA_DASHBOARD}
        outcome.unsynced_dashboards = [identity for identity, synced in dashboards.items() if synced is False]
        outcome.untaken_dashboards = [identity for identity, synced in dashboards.items() if synced is None]
        children = self._cache.children
        outcome.fallback_dashboards = [each for each in owned if awaits_grafana(each, children, owned)]
        outcome.unwatched = any(not child.watched for child in owned.values())
        resource = outcome.resource
        if resource is None:
            return
        await self.judge_route(resource, outcome)
        await self.selection.judge(resource, outcome)

    async def _find(self, deployment: Id, uid: str, outcome: Outcome) -> None:
        """Look for the service's Deployment where no event tells of it: a pass that was cut short did not get to it."""
        child = self._cache.children.get(deployment)
        if child is not None and child.owner == uid and child.watched:
            return
        try:
            await unwatched.read(self._cluster, self._cache.children, deployment, uid)
        except ApiError as error:
            outcome.failure = outcome.failure or f"{deployment}: {error.message}"
            outcome.cannot_judge([READY], error)

    async def judge_route(self, resource: spec.TextToImageService, outcome: Outcome) -> None:
        """Look at the way in, once a pass; without its certificate it does not work yet: somebody may issue it soon.

        Whether one is there that could not be read nobody knows.
        """
        if outcome.route is not None:
            return
        try:
            route = await self._routing.route(resource, outcome.absent)
        except ApiError as error:
            route = Verdict("Unknown", "NotVisible", error.message)
            outcome.cannot_judge([ROUTE_READY], error)
        unseen = [each.error for each in outcome.unjudged if each.condition == ROUTE_READY]
        words = [error.message for error in unseen if isinstance(error, ApiError)]
        lack = ("NotVisible", words[0]) if words else outcome.lacks.get(ROUTE_READY)
        outcome.route = Verdict("Unknown", *lack) if lack and route.holds else route

    def rollout(self, key: Key, uid: str) -> Rollout | None:
        """Return what the Deployment of the service says."""
        return self._rollout(_deployment(key), uid)

    def _jaeger(self, key: Key, uid: str, resource: spec.TextToImageService | None) -> Rollout | None:
        jaeger = jaeger_of(resource) if resource else Id(DEPLOYMENT, key.namespace, naming.jaeger(key.name))
        return self._rollout(jaeger, uid)

    def _rollout(self, identity: Id, uid: str) -> Rollout | None:
        child = self._cache.children.get(identity)
        return child.rollout if child is not None and child.owner == uid else None


def _deployment(key: Key) -> Id:
    return Id(DEPLOYMENT, key.namespace, naming.deployment(key.name))
