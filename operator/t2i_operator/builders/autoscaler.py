"""The HorizontalPodAutoscaler of the Deployment."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, Object
from t2i_operator.spec.scaling import Autoscaling

# What `kubectl autoscale` and the Kubernetes documentation take where nothing is said.
DEFAULT_CPU_PERCENTAGE = 80


def autoscaler(resource: spec.TextToImageService) -> Object | None:
    """Point at the Deployment, not at the resource: two writers of `spec.replicas` would fight over it in Git."""
    wanted = resource.spec.autoscaling
    if wanted is None:
        return None
    name = resource.metadata.name
    target = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "name": naming.deployment(name)}
    body: Object = {
        "scaleTargetRef": target,
        "minReplicas": wanted.min_replicas,
        "maxReplicas": wanted.max_replicas,
        "metrics": [spec.to_wire(metric) for metric in wanted.metrics] or [_cpu(wanted)],
    }
    if wanted.behavior is not None:
        body["behavior"] = spec.to_wire(wanted.behavior)
    return {
        "apiVersion": AUTOSCALER.api_version,
        "kind": AUTOSCALER.name,
        "metadata": metadata(resource, naming.autoscaler(name)),
        "spec": body,
    }


def _cpu(wanted: Autoscaling) -> Object:
    percentage = wanted.target_cpu_utilization_percentage or DEFAULT_CPU_PERCENTAGE
    target = {"type": "Utilization", "averageUtilization": percentage}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}
