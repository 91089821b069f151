"""etcd and the Kubernetes control plane, with the flags that make them this cluster's."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster import network
from dev.cluster.paths import Layout, write
from dev.cluster.processes import Daemon

API_URL = f"https://{network.NODE_IP}:{network.API_PORT}"
ETCD_URL = f"https://{network.NODE_IP}:{network.ETCD_PORT}"
AUDIT_POLICY = Path(__file__).parent / "etc" / "audit-policy.yaml"


@dataclass(frozen=True)
class ControlPlane:
    """Builds the daemons from their binaries."""

    layout: Layout

    def write_kubeconfigs(self) -> None:
        """One file a client: the person's own, and one each component proves itself with."""
        write(self.layout.kubeconfig, json.dumps(self._kubeconfig("admin"), indent=1), mode=0o600)
        for client in ("kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"):
            write(self.client_config(client), json.dumps(self._kubeconfig(client), indent=1), mode=0o600)

    def client_config(self, client: str) -> Path:
        """Return the kubeconfig that a component proves itself with."""
        return self.layout.etc / f"{client}.kubeconfig"

    def etcd(self, program: Path) -> Daemon:
        """Return the store, which only the API server has a certificate for."""
        peer_url = f"https://{network.NODE_IP}:{network.ETCD_PORT + 1}"
        flags = {
            "name": "text-to-image",
            "data-dir": self.layout.data / "etcd",
            # The cluster is thrown away with its machine: durability would only cost time.
            "unsafe-no-fsync": "true",
            "log-level": "warn",
            "quota-backend-bytes": 4 << 30,
            "listen-client-urls": ETCD_URL,
            "advertise-client-urls": ETCD_URL,
            "listen-peer-urls": peer_url,
            "initial-advertise-peer-urls": peer_url,
            "initial-cluster": f"text-to-image={peer_url}",
            "client-cert-auth": "true",
            "peer-client-cert-auth": "true",
        }
        for prefix in ("", "peer-"):
            flags[f"{prefix}trusted-ca-file"] = self._pki("ca.crt")
            flags[f"{prefix}cert-file"] = self._pki("etcd.crt")
            flags[f"{prefix}key-file"] = self._pki("etcd.key")
        return self._daemon("etcd", program, flags)

    def api_server(self, program: Path) -> Daemon:
        """Return the API server, with the aggregation layer that metrics-server needs and an audit log of writes."""
        flags = {
            "bind-address": network.NODE_IP,
            "advertise-address": network.NODE_IP,
            "secure-port": network.API_PORT,
            "etcd-servers": ETCD_URL,
            "etcd-cafile": self._pki("ca.crt"),
            "etcd-certfile": self._pki("etcd.crt"),
            "etcd-keyfile": self._pki("etcd.key"),
            "client-ca-file": self._pki("ca.crt"),
            "tls-cert-file": self._pki("kube-apiserver.crt"),
            "tls-private-key-file": self._pki("kube-apiserver.key"),
            "authorization-mode": "Node,RBAC",
            "enable-admission-plugins": "NodeRestriction",
            "allow-privileged": "true",
            "service-cluster-ip-range": network.SERVICE_CIDR,
            "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
            "service-account-key-file": self._pki("service-accounts.pub"),
            "service-account-signing-key-file": self._pki("service-accounts.key"),
            "kubelet-certificate-authority": self._pki("ca.crt"),
            "kubelet-client-certificate": self._pki("kube-apiserver-kubelet-client.crt"),
            "kubelet-client-key": self._pki("kube-apiserver-kubelet-client.key"),
            "kubelet-preferred-address-types": "InternalIP",
        }
        return self._daemon("kube-apiserver", program, flags | self._aggregation() | self._audit())

    def controller_manager(self, program: Path) -> Daemon:
        """Return the controllers, each with a ServiceAccount of its own, as RBAC and the audit log see them."""
        flags = self._client_flags("kube-controller-manager") | {
            "use-service-account-credentials": "true",
            "service-account-private-key-file": self._pki("service-accounts.key"),
            "root-ca-file": self._pki("ca.crt"),
            "cluster-signing-cert-file": self._pki("ca.crt"),
            "cluster-signing-key-file": self._pki("ca.key"),
            # A thousand resources at once are part of the benchmarks; the default of 20 a second would be measured.
            "kube-api-qps": 200,
            "kube-api-burst": 400,
        }
        return self._daemon("kube-controller-manager", program, flags)

    def scheduler(self, program: Path) -> Daemon:
        """Return the scheduler."""
        flags = self._client_flags("kube-scheduler") | {"kube-api-qps": 200, "kube-api-burst": 400}
        return self._daemon("kube-scheduler", program, flags)

    def _client_flags(self, name: str) -> dict[str, Any]:
        kubeconfig = self.client_config(name)
        return {
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "bind-address": network.NODE_IP,
            "tls-cert-file": self._pki(f"{name}.crt"),
            "tls-private-key-file": self._pki(f"{name}.key"),
            # There is one of each, and a Lease would only delay its restart.
            "leader-elect": "false",
        }

    def _aggregation(self) -> dict[str, Any]:
        return {
            "requestheader-client-ca-file": self._pki("front-proxy-ca.crt"),
            "requestheader-allowed-names": "front-proxy-client",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-",
            "requestheader-group-headers": "X-Remote-Group",
            "requestheader-username-headers": "X-Remote-User",
            "proxy-client-cert-file": self._pki("front-proxy-client.crt"),
            "proxy-client-key-file": self._pki("front-proxy-client.key"),
            "enable-aggregator-routing": "true",
        }

    def _audit(self) -> dict[str, Any]:
        return {
            "audit-policy-file": AUDIT_POLICY,
            "audit-log-path": self.layout.audit_log,
            # MiB. Tests and benchmarks keep their place in it by its size; 3,000 resources write 250 in one run.
            "audit-log-maxsize": 2000,
            "audit-log-maxbackup": 1,
        }

    def _pki(self, name: str) -> Path:
        return self.layout.pki / name

    def _daemon(self, name: str, program: Path, flags: dict[str, Any]) -> Daemon:
        argv = [str(program), *(f"--{flag}={value}" for flag, value in flags.items())]
        return Daemon(name, argv, self.layout.logs / f"{name}.log")

    def _kubeconfig(self, client: str) -> dict[str, Any]:
        """Whole in one file (JSON is YAML too), so that a person's own may be copied to wherever they work."""
        certificate, key = self._embedded(f"{client}.crt"), self._embedded(f"{client}.key")
        user = {"client-certificate-data": certificate, "client-key-data": key}
        cluster = {"server": API_URL, "certificate-authority-data": self._embedded("ca.crt")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "text-to-image", "cluster": cluster}],
            "users": [{"name": client, "user": user}],
            "contexts": [{"name": "text-to-image", "context": {"cluster": "text-to-image", "user": client}}],
            "current-context": "text-to-image",
        }

    def _embedded(self, name: str) -> str:
        return base64.b64encode(self._pki(name).read_bytes()).decode()
