"""A Secret or ConfigMap that cannot be read, as when the key it is encrypted with is away: its user alone waits."""

from t2i_operator import naming, spec
from t2i_operator.known import credentials, references
from t2i_operator.known.children import Id
from t2i_operator.known.faults import APPLY_FAILED, jaeger_of
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.secret_watch import SecretWatch, Versions
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import ALERTMANAGER_CONFIG


async def versions(watch: SecretWatch, resource: spec.TextToImageService, outcome: Outcome) -> Versions:
    """Return the version of each source; None also for one that cannot be read, of whose user `outcome` has a fault.

    Raises `ApiError` where it is not only for what observes: the service's pods must not be rolled without it.
    """
    found: Versions = {}
    for source in references.sources(resource):
        try:
            found |= await watch.versions(resource.metadata.namespace, [source])
        except ApiError as error:
            users = _users(resource, source)
            if not users or error.stops:
                raise
            kind, name = references.read_source(source)
            for user in users:
                message = f"{user} is left as it is: {kind.name} {name} cannot be read: {error.message}"
                outcome.fault(user, APPLY_FAILED, message, error)
            found[source] = None
    return found


def _users(resource: spec.TextToImageService, source: str) -> list[Id]:
    """Return the objects that only observe and are made for a source; none where anything else is for it too."""
    metadata = resource.metadata
    users = {
        "AlertsReady": Id(ALERTMANAGER_CONFIG, metadata.namespace, naming.alertmanager_config(metadata.name)),
        "TracingReady": jaeger_of(resource),
    }
    if resource.spec.monitoring.tracing.mode == "External":
        del users["TracingReady"]  # the service's own pods read it
    named = {each.condition for each in references.references(resource) if each.source == source and each.condition}
    if source in credentials.secret_names(resource) or not named <= users.keys():
        return []
    return [users[condition] for condition in sorted(named)]
