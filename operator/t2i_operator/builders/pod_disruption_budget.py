"""The PodDisruptionBudget, which says how many pods a drain of nodes may take at once."""

import math

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.observed import Observed
from t2i_operator.kube.kinds import POD_DISRUPTION_BUDGET, Object


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


def fewest(resource: spec.TextToImageService | None, pods: int) -> int:
    """Return how many of so many pods are enough: what the budget leaves after all evictions that it allows at once.

    It is a quarter that may be away, or one, where the budget allows less or nothing is known of it: what a Deployment
    takes for harmless unless it is told otherwise. Percentages are rounded up, as the disruption controller does.
    """
    away, wanted = max(1, pods // 4), resource.spec.pod_disruption_budget if resource else None
    if wanted is not None and wanted.mode == "Managed":
        if wanted.min_available is not None:
            away = max(away, pods - _scaled(wanted.min_available, pods))
        away = max(away, _scaled(wanted.max_unavailable or 0, pods))
    return max(min(1, pods), pods - away)


def _scaled(number: int | str, pods: int) -> int:
    return math.ceil(int(number.rstrip("%")) * pods / 100) if isinstance(number, str) else number


def several_pods(resource: spec.TextToImageService, live: int) -> bool:
    """Tell whether more than one pod is wanted; where the spec does not state it, the live number says so."""
    autoscaling, stated = resource.spec.autoscaling, resource.spec.replicas
    if autoscaling is None:
        return (live if stated is None else stated) > 1
    return max(autoscaling.min_replicas, min(live, autoscaling.max_replicas)) > 1
