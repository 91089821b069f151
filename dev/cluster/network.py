"""The cluster's addresses, and the bridge and masquerading they stand on."""

from __future__ import annotations

from dev.cluster.run import output

# Everything listens on the bridge's own address, so nothing is offered to the machine's network, the usual ports
# clash with nobody's, and pods reach the API server there (the endpoint of `kubernetes.default`).
BRIDGE = "t2i0"
NODE_IP = "10.244.0.1"
NODE_NAME = "text-to-image"
POD_CIDR = "10.244.0.0/16"
SERVICE_CIDR = "10.96.0.0/16"
API_SERVICE_IP = "10.96.0.1"
DNS_SERVICE_IP = "10.96.0.10"
API_PORT = 6443
ETCD_PORT = 2379
# The kubelet, the scheduler, the controller manager and kube-proxy have their usual ones.
PORTS = {API_PORT, ETCD_PORT, ETCD_PORT + 1, 10248, 10249, 10250, 10256, 10257, 10259}
NFT_TABLE = "text-to-image"

MASQUERADE = f"""
table ip {NFT_TABLE} {{}}
delete table ip {NFT_TABLE}
table ip {NFT_TABLE} {{
  chain postrouting {{
    type nat hook postrouting priority srcnat;
    ip saddr {POD_CIDR} ip daddr != {POD_CIDR} masquerade
  }}
}}
"""


def ensure() -> None:
    """Make the bridge, a route to Services through it, and masquerading for what leaves the cluster."""
    links = output("ip", "-brief", "link", "show", "type", "bridge")
    if BRIDGE not in {line.split()[0] for line in links.splitlines()}:
        output("ip", "link", "add", BRIDGE, "type", "bridge")
    output("ip", "address", "replace", f"{NODE_IP}/16", "dev", BRIDGE)
    output("ip", "link", "set", BRIDGE, "up")
    # Without it a call from the machine to a Service would leave with the machine's outer address, or not at all.
    output("ip", "route", "replace", SERVICE_CIDR, "dev", BRIDGE, "src", NODE_IP)
    output("nft", "-f", "-", feed=MASQUERADE)
