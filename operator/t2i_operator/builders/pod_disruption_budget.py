"""The PodDisruptionBudget, which says how many pods a drain of nodes may take at once."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.observed import Observed
from t2i_operator.kinds import POD_DISRUPTION_BUDGET, Object


def pod_disruption_budget(resource: spec.TextToImageService, observed: Observed) -> Object | None:
    """Keep none for a single pod: `minAvailable: 1` would hold up every drain of its node for ever.

    Pods that are not ready may always be evicted, or one that crashes would hold up the drain that could cure it.
    """
    wanted = resource.spec.pod_disruption_budget
    if wanted.mode == "Disabled" or not several_pods(resource, observed.replicas):
        return None
    limit: Object = {"maxUnavailable": 1 if wanted.max_unavailable is None else wanted.max_unavailable}
    if wanted.min_available is not None:
        limit = {"minAvailable": wanted.min_available}
    name = resource.metadata.name
    return {
        "apiVersion": POD_DISRUPTION_BUDGET.api_version,
        "kind": POD_DISRUPTION_BUDGET.name,
        "metadata": metadata(resource, naming.pod_disruption_budget(name)),
        "spec": {
            "selector": {"matchLabels": naming.selector_labels(name)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            **limit,
        },
    }


def several_pods(resource: spec.TextToImageService, live: int) -> bool:
    """Tell whether more than one pod is wanted; where an autoscaler decides, the live number says so."""
    autoscaling = resource.spec.autoscaling
    if autoscaling is None:
        return resource.spec.replicas > 1
    return max(autoscaling.min_replicas, min(live, autoscaling.max_replicas)) > 1
