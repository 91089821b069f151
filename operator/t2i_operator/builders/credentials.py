"""The Secret that `secretKeyRef`s are composed into."""

from collections.abc import Mapping

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import SECRET, Object


def credentials(resource: spec.TextToImageService, data: Mapping[str, str]) -> Object:
    """One Secret with the guide's key names, whatever the Secrets and keys were called that the values come from."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": metadata(resource, naming.credentials(resource.metadata.name)),
        "type": "Opaque",
        "data": dict(data),
    }
