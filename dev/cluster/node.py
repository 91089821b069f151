"""The node: containerd, the kubelet and kube-proxy, all under folders, sockets and a cgroup of our own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cluster import network
from dev.cluster.paths import MACHINE, Layout, write
from dev.cluster.processes import Daemon
from dev.cluster.run import system_path

CGROUP = "/text-to-image-operator"
CONTAINERD_SOCKET = MACHINE / "containerd.sock"
CNI_NETWORK = "text-to-image"
CNI_BINARIES = "/usr/lib/cni"


@dataclass(frozen=True)
class Node:
    """Writes the configuration files and builds the daemons."""

    layout: Layout
    sandbox_image: str

    def containerd(self, program: Path, shim: Path) -> Daemon:
        """Return the runtime; it finds its shim by PATH."""
        config = self.layout.etc / "containerd.toml"
        write(config, _toml(self._containerd_config()))
        cni = self.layout.etc / "cni" / "10-text-to-image.conflist"
        write(cni, json.dumps(_cni_config(), indent=1))
        argv = [str(program), "--config", str(config)]
        path = os.pathsep.join([str(shim.parent), system_path()])
        return Daemon("containerd", argv, self._log("containerd"), (config, cni), {"PATH": path})

    def kubelet(self, program: Path, kubeconfig: Path) -> Daemon:
        """Return the node's agent."""
        config = self.layout.etc / "kubelet.json"
        write(config, json.dumps(self._kubelet_config(), indent=1))
        argv = [
            str(program),
            f"--config={config}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={self.layout.data / 'kubelet'}",
            f"--hostname-override={network.NODE_NAME}",
            f"--node-ip={network.NODE_IP}",
        ]
        return Daemon("kubelet", argv, self._log("kubelet"), (config,))

    def kube_proxy(self, program: Path, kubeconfig: Path) -> Daemon:
        """Return what makes the addresses of Services lead to pods."""
        config = self.layout.etc / "kube-proxy.json"
        write(config, json.dumps(_kube_proxy_config(kubeconfig), indent=1))
        argv = [str(program), f"--config={config}", f"--hostname-override={network.NODE_NAME}"]
        return Daemon("kube-proxy", argv, self._log("kube-proxy"), (config,))

    def _log(self, name: str) -> Path:
        return self.layout.logs / f"{name}.log"

    def _containerd_config(self) -> dict[str, Any]:
        runc = {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"SystemdCgroup": False, "Root": str(MACHINE / "runc")},
        }
        return {
            "version": 4,
            "root": str(self.layout.data / "containerd"),
            "state": str(MACHINE / "containerd"),
            "imports": [],
            # They would leave folders under /opt and /run; nothing here uses them.
            "disabled_plugins": ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"],
            "plugins": {
                "io.containerd.server.v1.grpc": {"address": str(CONTAINERD_SOCKET)},
                "io.containerd.server.v1.ttrpc": {"address": f"{CONTAINERD_SOCKET}.ttrpc"},
                "io.containerd.shim.v1.manager": {"socket_dir": str(MACHINE / "s")},
                "io.containerd.metadata.v1.bolt": {"no_sync": True},
                "io.containerd.cri.v1.images": {
                    "snapshotter": "overlayfs",
                    "pinned_images": {"sandbox": self.sandbox_image},
                },
                "io.containerd.cri.v1.runtime": {
                    # Some kernels and containers forbid to lower oom_score_adj, and every sandbox would fail.
                    "restrict_oom_score_adj": True,
                    "netns_mounts_under_state_dir": True,
                    "containerd": {"default_runtime_name": "runc", "runtimes": {"runc": runc}},
                    "cni": {"bin_dirs": [CNI_BINARIES], "conf_dir": str(self.layout.etc / "cni")},
                },
            },
        }

    def _kubelet_config(self) -> dict[str, Any]:
        pki = self.layout.pki
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": network.NODE_IP,
            "healthzBindAddress": network.NODE_IP,
            "tlsCertFile": str(pki / "kubelet-serving.crt"),
            "tlsPrivateKeyFile": str(pki / "kubelet-serving.key"),
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(pki / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "clusterDomain": "cluster.local",
            "clusterDNS": [network.DNS_SERVICE_IP],
            "resolvConf": _resolv_conf(),
            "volumePluginDir": str(self.layout.data / "volume-plugins"),
            "podLogsDir": str(self.layout.logs / "pods"),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": CGROUP,
            "enforceNodeAllocatable": ["pods"],
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "maxPods": 250,
            "serializeImagePulls": False,
            # A changed ConfigMap or Secret reaches its pods in seconds instead of a minute.
            "configMapAndSecretChangeDetectionStrategy": "Watch",
            "syncFrequency": "10s",
            # Images are imported by hand: one that was collected could not be pulled again.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        }


def _kube_proxy_config(kubeconfig: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "mode": "nftables",
        "nftables": {"minSyncPeriod": "100ms"},
        "clusterCIDR": network.POD_CIDR,
        "bindAddress": network.NODE_IP,
        "healthzBindAddress": f"{network.NODE_IP}:10256",
        "metricsBindAddress": f"{network.NODE_IP}:10249",
        "oomScoreAdj": 0,
        # Zero leaves the machine's own connection-tracking limits alone.
        "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }


def _cni_config() -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": network.POD_CIDR, "gateway": network.NODE_IP}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(MACHINE / "addresses"),
    }
    bridge = {"type": "bridge", "bridge": network.BRIDGE, "isGateway": True, "hairpinMode": True, "ipam": addresses}
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": CNI_NETWORK, "plugins": [bridge, portmap]}


def _resolv_conf() -> str:
    """systemd-resolved's stub listens on loopback, where no pod reaches it; it keeps the real servers beside it."""
    upstream = Path("/run/systemd/resolve/resolv.conf")
    return str(upstream) if upstream.exists() else "/etc/resolv.conf"


def _toml(table: dict[str, Any], prefix: str = "") -> str:
    """TOML of nested tables of strings, booleans, numbers and lists: the standard library reads it but cannot write."""
    plain = {key: value for key, value in table.items() if not isinstance(value, dict)}
    lines = [f"{key} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, dict):
            path = f"{prefix}{json.dumps(key)}"
            lines += [f"[{path}]", _toml(value, f"{path}.")]
    return "\n".join(lines)
