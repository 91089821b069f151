"""Clears the way for an object to be made anew: what is wanted differs in a field that its kind lets nobody change.

The Grafana operator holds a dashboard by a finalizer until it is out of every Grafana, so the old one may stay a while.
"""

from t2i_operator import naming
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import FIXED, Object
from t2i_operator.reconciling.ownership import held

# What the API server says of a webhook that would have to write something of its own.
_NO_DRY_RUN = "does not support dry run"


def is_due(identity: Id, error: ApiError) -> bool:
    """Tell whether an apply was refused for nothing but fields that only another object can have otherwise."""
    return error.refuses_only(FIXED.get(identity.kind, ()))


async def dry_run(cluster: Cluster, identity: Id, desired: Object) -> Object:
    """Return what would be stored if there were no such object, by a dry run under a name that is nobody's."""
    name = naming.trial(identity.name)
    try:
        trial = {**desired, "metadata": {**desired["metadata"], "name": name}}
        made = await cluster.apply(identity.kind, trial, dry_run=True)
    except ApiError as error:
        error.message = error.message.replace(name, identity.name)
        raise
    return {**made, "metadata": {**made["metadata"], "name": identity.name}}


async def delete_for_replacement(cluster: Cluster, identity: Id, live: Object, desired: Object) -> None:
    """Delete the object that was seen, if another would be taken in its place; raise what would be refused."""
    if "deletionTimestamp" in live["metadata"]:
        return
    try:
        await dry_run(cluster, identity, desired)
    except ApiError as error:
        if _NO_DRY_RUN not in error.message:
            raise
    await cluster.delete(identity.kind, live["metadata"])


def waiting_message(identity: Id, left: Object, error: ApiError) -> str:
    """Say what is waited for, and who holds it."""
    return f"{identity} is made anew for another {' and '.join(error.fields)}; the old one is being deleted{held(left)}"
