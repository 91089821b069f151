"""Looks at what lives of a resource, whatever came of an attempt to change it."""

from t2i_operator import naming, spec
from t2i_operator.cache import Cache
from t2i_operator.children import Id
from t2i_operator.cluster import ApiError, Cluster
from t2i_operator.entry import Route
from t2i_operator.faults import MONITORING, READY, Failure
from t2i_operator.kinds import DEPLOYMENT, OPENTELEMETRY_COLLECTOR
from t2i_operator.naming import Key
from t2i_operator.outcome import Outcome
from t2i_operator.rollout import Rollout
from t2i_operator.routing import Routing
from t2i_operator.selection import Selection, unseen


class Judgement:
    """Fills in what an outcome says of live objects."""

    def __init__(self, cluster: Cluster, cache: Cache) -> None:
        self._cache = cache
        self._routing = Routing(cluster, cache.children)
        self.selection = Selection(cluster)

    async def judge(self, key: Key, uid: str, outcome: Outcome) -> list[Failure]:
        """Return what kept us from looking; what was not seen is Unknown then."""
        failures: list[Failure] = []
        outcome.rollout = self.rollout(key, uid)
        outcome.jaeger = self._jaeger(key, uid, outcome.resource)
        outcome.unshown = [identity for identity, child in self._cache.children.of(key, uid) if child.unshown]
        outcome.trouble = self._cache.pods.newest_trouble(key)
        outcome.objects = outcome.objects or [identity for identity, _ in self._cache.children.of(key, uid)]
        resource = outcome.resource
        if resource is None:
            return failures
        try:
            outcome.route = outcome.route or await self.route(resource, outcome)
        except ApiError as error:
            outcome.route = Route("Unknown", "NotVisible", error.message)
            failures.append(Failure(READY, error))
        try:
            outcome.selected = await self.selection.judge(resource, outcome.absent)
        except ApiError as error:
            outcome.selected = unseen(resource, outcome.absent, error)
            failures += [Failure(MONITORING[kind], error) for kind in outcome.selected]
        return failures

    async def route(self, resource: spec.TextToImageService, outcome: Outcome) -> Route:
        """Hold a way in back while its certificate is missing; who issues certificates may still be about to."""
        route, lack = await self._routing.route(resource, outcome.absent), outcome.lacks.get("RouteReady")
        return Route("Unknown", *lack) if lack and route.works else route

    def rollout(self, key: Key, uid: str) -> Rollout | None:
        """Return what the Deployment of the service says."""
        return self._rollout(Id(DEPLOYMENT, key.namespace, naming.deployment(key.name)), uid)

    def _jaeger(self, key: Key, uid: str, resource: spec.TextToImageService | None) -> Rollout | None:
        left = resource is not None and resource.spec.monitoring.tracing.jaeger.format == OPENTELEMETRY_COLLECTOR.name
        kind = OPENTELEMETRY_COLLECTOR if left else DEPLOYMENT
        return self._rollout(Id(kind, key.namespace, naming.jaeger(key.name)), uid)

    def _rollout(self, identity: Id, uid: str) -> Rollout | None:
        child = self._cache.children.get(identity)
        return child.rollout if child is not None and child.owner == uid else None
