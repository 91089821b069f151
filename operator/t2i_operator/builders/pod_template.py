"""What a user wants otherwise in a pod, merged over what is built."""

from t2i_operator import spec
from t2i_operator.builders import strategic
from t2i_operator.kube.kinds import Object
from t2i_operator.spec.pod_template import PodTemplate


def merged(built: Object, wanted: PodTemplate, field: str) -> Object:
    """Return the built template with the user's merged over it, less changes to the labels that are selected by.

    Raises `strategic.InvalidPatchError`, which names the field of the spec.
    """
    try:
        found = strategic.merge(built, spec.to_wire(wanted))
    except strategic.InvalidPatchError as error:
        raise strategic.InvalidPatchError(f"{field}: {error}") from error
    found["metadata"]["labels"] = {**found["metadata"].get("labels", {}), **built["metadata"]["labels"]}
    return found
