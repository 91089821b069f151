"""Hands the number of replicas over to an autoscaler.

Server-side apply takes a field away when its last owner leaves it out, and a Deployment without `replicas` gets 1: a
service at 5 would drop to 1 at the moment its autoscaler is turned on. So the live number is applied under a second
manager first.
"""

from t2i_operator import naming
from t2i_operator.known import drift
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import DEPLOYMENT, Object

MANAGER = f"{naming.FIELD_MANAGER}-handover"


def kept_replicas(live: Object) -> int | None:
    """Return the number that is handed over; None once it is not ours.

    A Deployment at 0 is set to 1: an autoscaler takes 0 for "switched off" and would leave it there for ever.
    """
    if "f:replicas" not in drift.owned_fields(live).get("f:spec", {}):
        return None
    return int(live["spec"]["replicas"] or 1)


async def keep_live_replicas(cluster: Cluster, live: Object) -> None:
    """Keep the live number when we are about to leave it out; nothing to do once it is not ours."""
    number = kept_replicas(live)
    if number is None:
        return
    metadata = {name: live["metadata"][name] for name in ("namespace", "name", "uid")}
    kept = {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": metadata,
        "spec": {"replicas": number},
    }
    await cluster.apply(DEPLOYMENT, kept, manager=MANAGER)
