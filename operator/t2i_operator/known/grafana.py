"""What the Grafana operator says of a dashboard."""

from t2i_operator.kube.kinds import Object

_SYNCHRONIZED, _NO_INSTANCE = "DashboardSynchronized", "NoMatchingInstance"
# Of a dashboard that a file brings, Grafana takes no other by its API: "Cannot save provisioned dashboard".
_IN_THE_WAY = "provisioned"


def synced(dashboard: Object) -> bool | None:
    """Tell whether every Grafana that it is for has a GrafanaDashboard; False: there is none; None: not yet known.

    One that is held up by nothing but its own ConfigMap, which a sidecar gave to the same Grafana, counts as synced: it
    is once that has gone.

    Source: `setNoMatchingInstancesCondition` and `buildSynchronizedCondition` of grafana/grafana-operator v5; before it
    had conditions, fields of the status. What has no status yet, nobody has looked at.
    """
    status = dashboard.get("status", {})
    conditions = {each.get("type"): each for each in status.get("conditions", ())}
    if status.get("NoMatchingInstances") or conditions.get(_NO_INSTANCE, {}).get("status") == "True":
        return False
    if (synchronized := conditions.get(_SYNCHRONIZED)) is not None:
        taken = synchronized.get("status") == "True" or _IN_THE_WAY in synchronized.get("message", "")
    else:
        taken = bool(status.get("hash"))
    return taken or None
