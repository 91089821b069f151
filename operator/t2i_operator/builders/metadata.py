"""The metadata that all objects of a resource share: name, labels, owner."""

from collections.abc import Mapping

from t2i_operator import naming, spec
from t2i_operator.kube.kinds import RESOURCE, Object


def metadata(
    resource: spec.TextToImageService,
    name: str,
    *,
    annotations: Mapping[str, str] | None = None,
    component: str = naming.SERVICE_COMPONENT,
) -> Object:
    """Labels and annotations come from explicit fields only: a GitOps tool's marks on the resource are not copied."""
    owner = resource.metadata
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": naming.labels(owner.name, component),
        "annotations": {**(annotations or {}), naming.OWNER_UID_ANNOTATION: owner.uid},
        "ownerReferences": [
            {
                "apiVersion": RESOURCE.api_version,
                "kind": RESOURCE.name,
                "name": owner.name,
                "uid": owner.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
