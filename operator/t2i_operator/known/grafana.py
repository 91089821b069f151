"""What the Grafana operator says of a dashboard."""

from t2i_operator.kube.kinds import Object


def unshown(dashboard: Object) -> bool:
    """Tell whether it has looked for a Grafana to show a GrafanaDashboard in, and found none.

    Source: `setNoMatchingInstancesCondition` of grafana/grafana-operator v5; before that had conditions, a field of the
    status. What has no status yet, nobody has looked at.
    """
    status = dashboard.get("status", {})
    conditions = {each.get("type"): each.get("status") for each in status.get("conditions", ())}
    return bool(status.get("NoMatchingInstances")) or conditions.get("NoMatchingInstance") == "True"
