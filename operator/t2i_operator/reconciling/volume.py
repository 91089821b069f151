"""A claim for Jaeger's volume that may not be changed: pods run on with the volume that is there."""

from t2i_operator.known.faults import Fault
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import VOLUME_CLAIM
from t2i_operator.spec.tracing import ANEW

# How the API server refuses a larger one with 403; from `PersistentVolumeClaimResize` of its admission plugins.
_NO_EXPANSION = "the storageclass that provisions the pvc must support resize"


def add_advice(identity: Id, error: ApiError) -> None:
    """Have the error say what to do about a volume that is not to grow: the spec cannot ask for less again."""
    if identity.kind == VOLUME_CLAIM and _NO_EXPANSION in error.message:
        error.message += f"; its StorageClass needs allowVolumeExpansion: true; {ANEW}"


def is_usable(fault: Fault) -> bool:
    """Tell whether a claim that is the resource's serves its pods as it is; what may pass is soon tried again."""
    return fault.identity.kind == VOLUME_CLAIM and fault.error is not None and not fault.error.transient
