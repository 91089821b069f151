"""A pod's way to the API server: two files and two variables, read without the client library of Kubernetes.

That library takes 17 MiB to read them.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from t2i_operator.kube.errors import NoClusterError

FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"
# The kubelet puts a new token there long before the old one ends.
_FRESH_SECONDS = 60.0


class ServiceAccount:
    """Says what the client library's `Configuration` says, as far as `connection` asks."""

    cert_file: str | None = None
    key_file: str | None = None
    verify_ssl = True
    proxy: str | None = None

    def __init__(
        self,
        environ: Mapping[str, str],
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raise `NoClusterError` where something that every pod has is missing."""
        self._file, self._clock = folder / "token", clock
        self.host = _address(environ)
        self.ssl_ca_cert: str | None = str(folder / "ca.crt")
        self._read_at = 0.0
        self.namespace = _namespace(folder / "namespace")
        try:
            self._token = self._read()
            authorities = (folder / "ca.crt").read_text()
        except OSError as error:
            raise NoClusterError(f"the pod's ServiceAccount cannot be read: {error}") from error
        if not self._token or not authorities:
            raise NoClusterError(f"the pod's ServiceAccount has an empty file in {folder}")

    async def reload(self) -> None:
        """Read the token again; where that fails the last one may still do, as in client-go."""
        try:
            token = self._read()
        except OSError:
            return
        self._token = token or self._token

    async def get_api_key_with_prefix(self, identifier: str, alias: str | None = None) -> str | None:
        """Return the token; both names are what the client library calls it."""
        if self._clock() - self._read_at >= _FRESH_SECONDS:
            await self.reload()
        return self._token

    def _read(self) -> str:
        self._read_at = self._clock()
        return self._file.read_text().strip()


def in_pod(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a cluster has started this process."""
    return _HOST in environ


def _namespace(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return "default"


def _address(environ: Mapping[str, str]) -> str:
    host, port = environ.get(_HOST), environ.get(_PORT)
    if not host or not port:
        raise NoClusterError(f"{_HOST} or {_PORT} is not set")
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
