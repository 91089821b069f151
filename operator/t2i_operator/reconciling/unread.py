"""A Secret or ConfigMap that cannot be read, as when the key it is encrypted with is away: its user alone waits."""

from t2i_operator import naming, spec
from t2i_operator.known import credentials, references
from t2i_operator.known.faults import APPLY_FAILED, READY, ROUTE_READY, Fault, condition_of, jaeger_of
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.version_cache import VersionCache, Versions
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import ALERTMANAGER_CONFIG, DEPLOYMENT, INGRESS


async def versions(
    cache: VersionCache, resource: spec.TextToImageService, outcome: Outcome, *, carried_out: bool
) -> Versions:
    """Return the version of each source; None also for one that cannot be read, of whose user `outcome` has faults.

    `carried_out`: what serves by this very spec was in its place. Else the service's Deployment, where that is the
    user, may be of an older one, which Ready has to tell beside the condition that speaks of the source. An Ingress
    only names its certificate, and does not wait for it: whether it serves is what cannot be judged.

    Raises `ApiError` where it has what pods start with, as credentials and callers' keys are: they must not be rolled
    without, nor said to have all.
    """
    found: Versions = {}
    for source in references.sources(resource):
        try:
            found |= await cache.versions(resource.metadata.namespace, [source])
        except ApiError as error:
            users = _users(resource, source)
            if not users or error.server_unavailable:
                raise
            kind, name = references.read_source(source)
            error.message = f"{kind.name} {name} cannot be read: {error.message}"
            if users.pop(ROUTE_READY, None):
                outcome.cannot_judge([ROUTE_READY], error)
            for condition, user in users.items():
                message = f"{user} is left as it is: {error.message}"
                older = not carried_out and condition_of(user, resource.metadata.name) == READY
                told = (condition, READY) if older else (condition,)
                outcome.faults += [Fault(user, each, APPLY_FAILED, message, error) for each in told]
            found[source] = None
    return found


def _users(resource: spec.TextToImageService, source: str) -> dict[str, Id]:
    """Return the objects that are made for a source, by the conditions; none where pods start with it, too."""
    namespace, name = resource.metadata.namespace, resource.metadata.name
    exports = resource.spec.monitoring.tracing.mode == "External"
    users = {
        "AlertsReady": Id(ALERTMANAGER_CONFIG, namespace, naming.alertmanager_config(name)),
        "TracingReady": Id(DEPLOYMENT, namespace, naming.deployment(name)) if exports else jaeger_of(resource),
        ROUTE_READY: Id(INGRESS, namespace, naming.ingress(name)),
    }
    named = {each.condition for each in references.references(resource) if each.source == source}
    if source in credentials.secret_names(resource) or "CredentialsReady" in named:
        return {}
    return {condition: user for condition, user in users.items() if condition in named}
