"""Certificates of the user's as files in a pod: the service's and Jaeger's are mounted alike."""

from collections.abc import Iterator
from typing import NamedTuple

from t2i_operator.kube.kinds import Object
from t2i_operator.spec.certificates import ClientTLS

CA_FILE, CERTIFICATE_FILE, KEY_FILE = "ca/ca.crt", "client/tls.crt", "client/tls.key"


class Mount(NamedTuple):
    """A volume of the pod and where it is mounted."""

    volume: Object
    path: str
    read_only: bool = True


def certificates(tls: ClientTLS, prefix: str, folder: str) -> Iterator[Mount]:
    """Yield what puts the files above into a folder; the volumes' names begin with the prefix."""
    if tls.ca and tls.ca.secret_key_ref:
        ref = tls.ca.secret_key_ref
        source: Object = {"secret": {"secretName": ref.name, "items": [{"key": ref.key, "path": "ca.crt"}]}}
        yield Mount({"name": f"{prefix}-ca", **source}, f"{folder}/ca")
    elif tls.ca and tls.ca.config_map_key_ref:
        ref = tls.ca.config_map_key_ref
        source = {"configMap": {"name": ref.name, "items": [{"key": ref.key, "path": "ca.crt"}]}}
        yield Mount({"name": f"{prefix}-ca", **source}, f"{folder}/ca")
    if tls.client_secret_ref:
        source = {"secret": {"secretName": tls.client_secret_ref.name}}
        yield Mount({"name": f"{prefix}-client", **source}, f"{folder}/client")
