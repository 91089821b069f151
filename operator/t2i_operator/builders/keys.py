"""The Secret of generated keys, which sign the links to images."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.observed import Observed
from t2i_operator.kube.kinds import SECRET, Object


def keys(resource: spec.TextToImageService, observed: Observed) -> Object:
    """Hold the id of the key to sign with in `primary`, and every key by its id."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": metadata(resource, naming.keys(resource.metadata.name)),
        "type": "Opaque",
        "data": dict(observed.keys),
    }
