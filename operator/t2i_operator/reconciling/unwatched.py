"""Reads what no stream shows: an object that somebody took our label off serves on, and is ours by its owner."""

from t2i_operator.known.children import Children
from t2i_operator.known.identity import Id, owner_uid
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import Object


async def read(cluster: Cluster, children: Children, identity: Id, owner: str) -> Object | None:
    """Return the live object; while it is the resource's with this uid, its digest is known from now on."""
    known = children.get(identity)
    with children.awaiting(identity):
        live = await cluster.get(*identity)
        if live is not None and owner_uid(live["metadata"]) == owner:
            children.observe(identity.kind, live)
        elif known is not None and not known.watched and children.get(identity) is known:
            children.drop(identity)
    return live
