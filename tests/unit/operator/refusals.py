"""What the API server refuses, for a while or for good, and a webhook that refuses in a test what it is told to."""

import pytest
from t2i_operator.known.identity import Id, identify
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import HTTP_ROUTE, INGRESS, Kind, Object
from t2i_operator.naming import FIELD_MANAGER

from tests.unit.operator.harness import KEY, ROUTED, Harness

WEBHOOK = 'Internal error occurred: failed calling webhook "policy.example.com": connection refused'
TRANSIENT_ERRORS = [
    ApiError(0, "Unreachable", "no answer in time"),
    ApiError(409, "Conflict", "the object has been modified"),
    ApiError(429, "TooManyRequests", "try again later"),
    ApiError(500, "InternalError", "etcdserver: leader changed"),
    ApiError(500, "InternalError", WEBHOOK),
    ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
    ApiError(504, "Timeout", "the server was unable to return a response in the time allotted"),
]
FINAL_ERRORS = [
    ApiError(400, "BadRequest", "json: cannot unmarshal"),
    ApiError(403, "Forbidden", "secrets is forbidden: User cannot get resource"),
    ApiError(403, "Forbidden", "exceeded quota: none, requested: services=1"),
    ApiError(413, "RequestEntityTooLarge", "limit is 3145728"),
    ApiError(422, "Invalid", "spec.ports: Required value"),
    ApiError(500, "InternalError", "failed to create typed patch object (n/pictures; apps/v1, Kind=Deployment)"),
    ApiError(500, "InternalError", "failed to convert new object: unable to convert unstructured object to apps/v1"),
    ApiError(500, "InternalError", "etcdserver: request is too large"),
    ApiError(503, "Unavailable", 'admission webhook "policy.example.com" denied the request: not here'),
    ApiError(429, "TooMany", "ValidatingAdmissionPolicy 'none' with binding 'none' denied request: not here"),
]
READ_ERRORS = [
    ApiError(500, "InternalError", "conversion webhook for gateway.networking.k8s.io/v1beta1 failed: refused"),
    ApiError(0, "Unreachable", "no answer in time"),
    ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
]

_OF_INGRESSES = "validate.nginx.ingress.kubernetes.io"
UNREACHABLE = ApiError(
    500, "InternalError", f'Internal error occurred: failed calling webhook "{_OF_INGRESSES}": connection refused'
)
CLAIMED = 'host "images.example.com" and path "/" is already defined in ingress studio/older'
DENIED = [
    ApiError(status, "Denied", f'admission webhook "{_OF_INGRESSES}" denied the request: {CLAIMED}')
    for status in (400, 422)
]
INWARDS: dict[Kind, Object] = {INGRESS: {"ingress": {"host": "images.example.com"}}, HTTP_ROUTE: ROUTED}
STALE: Object = {"ingress": {"host": "older.example.com"}}


class Refusing:
    """Has a webhook look at what is written of these objects."""

    def __init__(self, harness: Harness, *refused: Id) -> None:
        self.refused, self.error = refused, UNREACHABLE
        self._apply = harness.cluster.apply

    async def apply(self, kind: Kind, body: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        if identify(body) in self.refused:
            raise ApiError(self.error.status, self.error.reason, self.error.message)
        return await self._apply(kind, body, manager=manager, dry_run=dry_run)


def refusing(monkeypatch: pytest.MonkeyPatch, harness: Harness, kind: Kind, error: ApiError) -> Refusing:
    refusing = Refusing(harness, Id(kind, *KEY))
    refusing.error = error
    monkeypatch.setattr(harness.cluster, "apply", refusing.apply)
    return refusing
