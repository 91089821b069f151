"""Replicas of the operator in its image that find what a pod finds: a kubeconfig would load a library no pod loads."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import yaml
from typing_extensions import override

from dev.bench import image
from dev.bench.client import authority
from tests.cluster.operators import OperatorAccount, OperatorProcess

if TYPE_CHECKING:
    from pathlib import Path


class PodProcess(OperatorProcess):
    """One replica; its ServiceAccount is made of a kubeconfig that holds a token."""

    def __init__(self, kubeconfig: Path, log: Path, class_name: str, **settings: object) -> None:
        super().__init__(kubeconfig, log, class_name, **settings)
        config = yaml.safe_load(kubeconfig.read_text())
        folder = log.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        (folder / "token").write_text(config["users"][0]["user"]["token"])
        (folder / "ca.crt").write_text(authority(config))
        server = urlsplit(config["clusters"][0]["cluster"]["server"])
        del self._environment["KUBECONFIG"]
        self._environment |= {
            "KUBERNETES_SERVICE_HOST": str(server.hostname),
            "KUBERNETES_SERVICE_PORT": str(server.port or 443),
        }
        self.program = image.operator(folder)


class PodAccount(OperatorAccount):
    """Whose operators run as pods do."""

    @override
    def process(self, name: str, **settings: object) -> OperatorProcess:
        settings = {"lease_namespace": self.class_name, **settings}
        return PodProcess(self.kubeconfig, self.place / f"{name}.log", self.class_name, **settings)
