"""Where an alert or a panel leads: runbooks, dashboards, traces."""

import hashlib
from urllib.parse import urlencode

from t2i_operator import spec
from t2i_operator.builders.monitoring.promql import scope

RUNBOOKS = "https://github.com/text-to-image/text-to-image-operator/blob/main/docs/runbooks"
# Of the dashboards' link to their folder.
RUNBOOKS_TITLE = "Runbooks"
# Of the dashboards' link to Grafana's own page of traces.
TRACES_TITLE = "Search traces"
_TAG_LENGTH = 50


def dashboard_uid(resource: spec.TextToImageService, topic: str) -> str:
    """Two services never share a dashboard, and a service keeps its own when it is made anew. At most 40 characters."""
    owner = resource.metadata
    digest = hashlib.sha256(f"{owner.namespace}/{owner.name}/{topic}".encode()).hexdigest()
    return f"t2i-{topic}-{digest[:16]}"


def dashboard_tag(resource: spec.TextToImageService) -> str:
    """Mark a service's own dashboards, readably where it fits: Grafana takes no tag of more than 50 bytes."""
    key = f"{resource.metadata.namespace}/{resource.metadata.name}"
    if len(key) <= _TAG_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{key[: _TAG_LENGTH - len(digest) - 1]}-{digest}"


def runbooks(resource: spec.TextToImageService) -> str:
    """Return the folder of the pages that say what alerts mean and what to do."""
    return (resource.spec.monitoring.alerts.runbook_url or RUNBOOKS).rstrip("/")


def runbook(resource: spec.TextToImageService, alert: str) -> str:
    """Return the page on one alert."""
    return f"{runbooks(resource)}/{alert}.md"


def of_alert(resource: spec.TextToImageService, alert: str, topic: str) -> dict[str, str]:
    """Return the annotations that lead a person on; where Grafana is not known, the dashboard's is a path in it."""
    annotations, wanted = {"runbook_url": runbook(resource, alert)}, resource.spec.monitoring.dashboards
    if wanted.mode == "Managed":
        grafana = (wanted.grafana_url or "").rstrip("/")
        chosen = urlencode({f"var-{name}": value for name, value in scope(resource).labels.items()})
        annotations["dashboard_url"] = f"{grafana}/d/{dashboard_uid(resource, topic)}?{chosen}"
    return annotations
