"""Other products' kinds, which a test brings to the cluster and takes away again while the operator runs.

Those in `products/` are in no cluster that this suite runs on; the Prometheus Operator's are, and are in use there.
"""

from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent / "products"


class Product:
    """Installs and removes CustomResourceDefinitions; with them go all objects of their kinds."""

    def __init__(self, kubectl: Callable[..., str], *files: Path) -> None:
        self._kubectl = kubectl
        self._files = [f"--filename={file}" for file in files]

    def install(self) -> None:
        self._kubectl("apply", "--server-side", *self._files)
        self._kubectl("wait", "--for=condition=Established", "--timeout=60s", *self._files)

    def remove(self) -> None:
        self._kubectl("delete", "--ignore-not-found", *self._files)


def grafana_operator(kubectl: Callable[..., str]) -> Product:
    return Product(kubectl, HERE / "grafanadashboards.yaml")


def opentelemetry_operator(kubectl: Callable[..., str]) -> Product:
    return Product(kubectl, HERE / "opentelemetrycollectors.yaml")
