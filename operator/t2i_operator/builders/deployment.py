"""The Deployment of the service."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.observed import Observed
from t2i_operator.builders.pod import pod_template
from t2i_operator.kube.kinds import DEPLOYMENT, Object


def deployment(resource: spec.TextToImageService, observed: Observed) -> Object:
    """`replicas` is left out while an autoscaler owns it: stating it would take it back at every apply.

    A number that the spec does not state is noted beside, to be the same at the next look.
    """
    name, stated, annotations = resource.metadata.name, resource.spec.replicas, {}
    body: Object = {
        "selector": {"matchLabels": naming.selector_labels(name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}},
        "progressDeadlineSeconds": 600,
        "template": pod_template(resource, observed),
    }
    if resource.spec.autoscaling is None:
        body["replicas"] = (observed.replicas or 1) if stated is None else stated
        if stated is None:
            annotations[naming.REPLICAS_ANNOTATION] = str(body["replicas"])
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": metadata(resource, naming.deployment(name), annotations=annotations),
        "spec": body,
    }
