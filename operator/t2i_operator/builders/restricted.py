"""What the service's pod and Jaeger's have alike: restricted Pod Security, and how volumes are mounted."""

from collections.abc import Iterable

from t2i_operator.builders.certificates import Mount
from t2i_operator.kube.kinds import Object

_USER = 65532


def pod_security() -> Object:
    """Return the pod's security context; its group may read what is mounted."""
    return {
        "runAsNonRoot": True,
        "runAsUser": _USER,
        "runAsGroup": _USER,
        "fsGroup": _USER,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> Object:
    """Return the container's security context."""
    return {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def volume_mounts(mounts: Iterable[Mount]) -> list[Object]:
    """Return where the container finds the volumes; readOnly is left out where it is not, as the API server does."""
    return [
        {"name": mount.volume["name"], "mountPath": mount.path, **({"readOnly": True} if mount.read_only else {})}
        for mount in mounts
    ]
