"""What would become of the objects that are the resource's and no longer wanted."""

import sys
from collections.abc import AsyncIterator, Container

from t2i_operator import naming, spec
from t2i_operator.known.cache import Cache
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import CHILDREN, OPTIONAL, Object
from t2i_operator.preview.printout import DIFFERS, SAME, write_change
from t2i_operator.reconciling.judgement import Judgement
from t2i_operator.reconciling.prune import PruneDecision, prune_decisions

# What is said of objects that would not be deleted, or not at once.
_ENDS = {
    PruneDecision.RELEASE: "would be released: the spec refers to it, and its data stays",
    PruneDecision.KEEP_UNTIL_PLACED: "would stay until what it belongs to is in place and can be looked at",
    PruneDecision.KEEP_UNTIL_ROLLED_OUT: "would be deleted once no pod of the old template is left",
    PruneDecision.KEEP_AS_FALLBACK: "would stay until the cluster serves the kind of what is to follow it",
    PruneDecision.KEEP_OLD_ROUTE: "would stay until RouteReady is True",
    PruneDecision.KEEP_OLD_DASHBOARD: "would stay until a Grafana has the GrafanaDashboard of that name",
}
# Those by which an object does not stay as it is.
_CHANGES = (PruneDecision.RELEASE, PruneDecision.KEEP_UNTIL_ROLLED_OUT)


async def write_unwanted(
    cluster: Cluster, resource: spec.TextToImageService, desired: Container[Id], outcome: Outcome
) -> int:
    """Print what becomes of the objects that are the resource's and no longer wanted."""
    cache, found, status = Cache(), {identity: live async for identity, live in _labelled(cluster, resource)}, SAME
    for identity, live in found.items():
        cache.children.observe(identity.kind, live)
    await Judgement(cluster, cache).judge_route(resource, outcome)
    unwanted = list(prune_decisions(cache.children, resource, desired, outcome))
    if unwanted and not outcome.placed:
        until = "that is collected" if outcome.waiting else "all that serves is in its place"
        sys.stdout.write(f"# nothing is deleted until {until}\n")
        return SAME
    for identity, _, decision in unwanted:
        if decision is PruneDecision.DELETE:
            status |= write_change(identity, found[identity], None)
        else:
            sys.stdout.write(f"# {identity} {_ENDS[decision]}\n")
            status |= DIFFERS if decision in _CHANGES else SAME
    return status


async def _labelled(cluster: Cluster, resource: spec.TextToImageService) -> AsyncIterator[tuple[Id, Object]]:
    selector = f"{naming.CHILD_SELECTOR},{naming.INSTANCE_LABEL}={resource.metadata.name}"
    for kind in CHILDREN:
        try:
            async for page in cluster.pages(kind, resource.metadata.namespace, selector):
                for live in page.objects():
                    head = {"apiVersion": kind.api_version, "kind": kind.name}
                    yield Id(kind, resource.metadata.namespace, live["metadata"]["name"]), {**head, **live}
        except ApiError as error:
            if kind not in OPTIONAL or not (error.is_not_found or error.is_forbidden):
                raise
