"""From a spec to the objects that it asks for: one way, for what is done and for what is only shown."""

from t2i_operator import builders, spec
from t2i_operator.known import credentials, references
from t2i_operator.known.identity import identify
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.rollout import Rollout
from t2i_operator.known.version_cache import Versions
from t2i_operator.kube.kinds import Object
from t2i_operator.reconciling import stored
from t2i_operator.reconciling.observe import Observer


async def wanted(
    observer: Observer,
    resource: spec.TextToImageService,
    versions: Versions,
    rollout: Rollout | None,
    outcome: Outcome,
) -> list[Object]:
    """Build what the cluster serves the kinds of; note in `outcome` which values it lacks."""
    secrets = await observer.secrets(resource.metadata.namespace, versions)
    outcome.unseen = frozenset()
    outcome.lacks = references.lacks(resource, secrets)
    outcome.credentials = credentials.problem(resource, secrets) or outcome.lacks.get("CredentialsReady")
    observed = await observer.observe(resource, secrets, rollout, outcome)
    desired = builders.desired(resource, observed)
    served = [each for each in desired if identify(each).kind not in outcome.absent]
    stored.report_invalid(resource, map(identify, served), outcome)
    return served
