"""The ServiceAccount of the pods."""

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.kube.kinds import SERVICE_ACCOUNT, Object


def service_account(resource: spec.TextToImageService) -> Object:
    """Mount no token: the service never talks to the API server."""
    return {
        "apiVersion": SERVICE_ACCOUNT.api_version,
        "kind": SERVICE_ACCOUNT.name,
        "metadata": metadata(
            resource,
            naming.service_account(resource.metadata.name),
            annotations=resource.spec.service_account.annotations,
        ),
        "automountServiceAccountToken": False,
    }
