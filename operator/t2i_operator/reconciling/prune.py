"""Takes away what the resource owns and no longer wants."""

from collections.abc import Container, Iterator
from enum import Enum, auto

from t2i_operator import naming, spec
from t2i_operator.known import references
from t2i_operator.known.children import Child, Children
from t2i_operator.known.faults import APPLY_FAILED, CONTESTED, DELETE_FAILED, MONITORING, REPLACING, condition_of
from t2i_operator.known.identity import Id, controller
from t2i_operator.known.outcome import Outcome
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import (
    AUTOSCALER,
    CONFIG_MAP,
    GRAFANA_DASHBOARD,
    HTTP_ROUTE,
    INGRESS,
    OPENTELEMETRY_COLLECTOR,
    SECRET,
    Kind,
    Object,
)
from t2i_operator.reconciling.ownership import Whose, whose


class PruneDecision(Enum):
    """What becomes of an object that is the resource's and not wanted.

    KEEP_UNTIL_PLACED: what counts for the same condition is not all in its place; or the kind was not served when the
    pass began, so that it is left out of what is wanted. KEEP_UNTIL_ROLLED_OUT: pods of the old template may still read
    it. KEEP_AS_FALLBACK: it does meanwhile the work of one whose kind the cluster does not serve. KEEP_OLD_ROUTE: it is
    the way in until its successor works. KEEP_OLD_DASHBOARD: it is what people see until a Grafana has its successor.
    """

    DELETE = auto()
    RELEASE = auto()
    KEEP_UNTIL_PLACED = auto()
    KEEP_UNTIL_ROLLED_OUT = auto()
    KEEP_AS_FALLBACK = auto()
    KEEP_OLD_ROUTE = auto()
    KEEP_OLD_DASHBOARD = auto()


def prune_decisions(
    children: Children, resource: spec.TextToImageService, wanted: Container[Id], outcome: Outcome
) -> Iterator[tuple[Id, Child, PruneDecision]]:
    """Tell of every such object but those that go already: a finalizer of somebody's may hold them for long.

    By the kinds that are absent, the route and the rollout that were judged, and what was unfinished at the beginning.
    """
    metadata, unfinished = resource.metadata, outcome.unfinished
    for identity, child in list(children.of(naming.Key(metadata.namespace, metadata.name), metadata.uid)):
        if identity not in wanted and not child.deleting:
            decision = PruneDecision.KEEP_UNTIL_PLACED
            unhindered = condition_of(identity, metadata.name) not in unfinished or _is_waited_for(identity, outcome)
            if unhindered and identity.kind not in outcome.absent:
                decision = _decision(identity, resource, outcome, seen=awaits_grafana(identity, children, wanted))
            yield identity, child, decision


def _is_waited_for(identity: Id, outcome: Outcome) -> bool:
    """Tell whether it is a collector that our Service waits for to go, and nothing else keeps Jaeger from its place.

    Its own Service has the name of ours (see `ownership.find_owner`).
    """
    condition = MONITORING[OPENTELEMETRY_COLLECTOR]
    reasons = {fault.reason for fault in outcome.faults if fault.condition == condition}
    return identity.kind == OPENTELEMETRY_COLLECTOR and reasons <= {REPLACING, CONTESTED}


def awaits_grafana(identity: Id, children: Children, wanted: Container[Id]) -> bool:
    """Tell whether the place of a ConfigMap is taken by a GrafanaDashboard, of its name, that no Grafana has yet."""
    followed = identity.kind == CONFIG_MAP and identity._replace(kind=GRAFANA_DASHBOARD) in wanted
    return followed and not children.successor_is_synced(identity)


def _decision(identity: Id, resource: spec.TextToImageService, outcome: Outcome, *, seen: bool) -> PruneDecision:
    if _is_fallback(identity, resource, outcome.absent):
        return PruneDecision.KEEP_AS_FALLBACK
    if seen:
        return PruneDecision.KEEP_OLD_DASHBOARD
    if identity.name in references.named(resource, identity.kind):
        return PruneDecision.RELEASE
    if identity.kind in (INGRESS, HTTP_ROUTE) and not (outcome.route and outcome.route.holds):
        return PruneDecision.KEEP_OLD_ROUTE
    if identity.kind == SECRET and not (outcome.rollout and outcome.rollout.complete):
        return PruneDecision.KEEP_UNTIL_ROLLED_OUT
    return PruneDecision.DELETE


class Pruner:
    """Deletes with the uid and version that were seen; releases what the spec refers to."""

    def __init__(self, cluster: Cluster, children: Children) -> None:
        self._cluster, self._children = cluster, children

    async def prune(self, resource: spec.TextToImageService, wanted: Container[Id], outcome: Outcome) -> list[Id]:
        """Return what stays beside its successor. Only to be called after every apply of what serves succeeded."""
        stays = []
        for identity, child, decision in prune_decisions(self._children, resource, wanted, outcome):
            match decision:
                case PruneDecision.KEEP_AS_FALLBACK | PruneDecision.KEEP_OLD_DASHBOARD:
                    stays.append(identity)
                case PruneDecision.KEEP_OLD_ROUTE:
                    outcome.old_routes.append(identity)
                case PruneDecision.RELEASE:
                    await self._release(identity, resource, outcome)
                case PruneDecision.KEEP_UNTIL_ROLLED_OUT:
                    outcome.awaits_rollout = f"{identity} is deleted once no pod of the old template is left"
                case PruneDecision.DELETE:
                    await self._delete(identity, child, outcome)
        return stays

    async def end_scaling(self, resource: spec.TextToImageService, outcome: Outcome) -> None:
        """Delete an autoscaler that is not wanted once the Deployment has a number, whatever else could not be written.

        Both would go on writing that number, for as long as a NetworkPolicy, say, is refused.
        """
        metadata = resource.metadata
        identity = Id(AUTOSCALER, metadata.namespace, naming.autoscaler(metadata.name))
        child = self._children.get(identity)
        if resource.spec.autoscaling is None and child and child.owner == metadata.uid and not child.deleting:
            await self._delete(identity, child, outcome)

    async def _delete(self, identity: Id, child: Child, outcome: Outcome) -> None:
        seen = {"uid": child.uid, "resourceVersion": str(child.version)}
        try:
            await self._cluster.delete(identity.kind, {"namespace": identity.namespace, "name": identity.name, **seen})
        except ApiError as error:
            self._not_done(identity, DELETE_FAILED, error, outcome)
            return
        self._children.drop(identity)
        outcome.deleted.append(identity)

    async def _release(self, identity: Id, resource: spec.TextToImageService, outcome: Outcome) -> None:
        """Take our marks off what is still the resource's; leave the rest, our record of having set it included."""
        try:
            live = await self._cluster.get(*identity)
            if live is not None and whose(live, resource) is Whose.OURS:
                await self._cluster.patch(identity.kind, identity.namespace, identity.name, released(live))
        except ApiError as error:
            self._not_done(identity, APPLY_FAILED, error, outcome)
            return
        self._children.drop(identity)

    def _not_done(self, identity: Id, reason: str, error: ApiError, outcome: Outcome) -> None:
        """Look again soon at what has changed since it was seen: of a status that is not read no event tells us."""
        if error.is_conflict:
            outcome.waiting = f"{identity} has changed since it was seen, and is looked at again before it goes"
        elif error.is_object_not_found:
            self._children.drop(identity)
        else:
            outcome.failed(identity, reason, error)


def _is_fallback(identity: Id, resource: spec.TextToImageService, absent: Container[Kind]) -> bool:
    dashboards, tracing = resource.spec.monitoring.dashboards, resource.spec.monitoring.tracing
    counts_for = condition_of(identity, resource.metadata.name)
    if counts_for == "DashboardsReady":
        asked = dashboards.mode == "Managed" and dashboards.for_grafana_operator
        return asked and GRAFANA_DASHBOARD in absent
    if counts_for == "TracingReady":
        asked = tracing.mode == "Managed" and tracing.jaeger.is_collector
        return asked and OPENTELEMETRY_COLLECTOR in absent
    return False


def released(live: Object) -> Object:
    """Return the merge patch that makes an object of ours nobody's."""
    metadata = live["metadata"]
    owner = controller(metadata)
    fields = [entry for entry in metadata.get("managedFields", ()) if entry.get("manager") != naming.FIELD_MANAGER]
    ours = (*naming.labels(""),)
    return {
        "metadata": {
            "resourceVersion": metadata["resourceVersion"],
            "ownerReferences": [each for each in metadata.get("ownerReferences", ()) if each != owner],
            "labels": {label: None for label in ours if label in metadata.get("labels", {})},
            "annotations": {naming.OWNER_UID_ANNOTATION: None},
            # An empty list would mean "leave as it is"; one empty entry resets the record.
            "managedFields": fields or [{}],
        }
    }
