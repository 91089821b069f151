"""All dashboards, by topic."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.business import business
from dashboards.models import models
from dashboards.operations import operations
from dashboards.overview import overview
from dashboards.traces import traces

TOPICS = {"overview": overview, "models": models, "business": business, "traces": traces, "operator": operations}
PACKAGE = Path(__file__).parents[1] / "operator" / "t2i_operator" / "builders" / "monitoring" / "dashboards"
MANIFESTS = Path(__file__).parents[1] / "manifests" / "monitoring"


def place(topic: str) -> Path:
    """Say where the JSON is committed: the operator ships those of its services, and manifests its own."""
    return MANIFESTS / "dashboard.json" if topic == "operator" else PACKAGE / f"{topic}.json"


def rendered() -> dict[str, str]:
    """Give each dashboard as the text that is committed."""
    encoder = JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False)
    return {topic: encoder.encode(_finished(build().build())) + "\n" for topic, build in TOPICS.items()}


def _finished(dashboard: Dashboard) -> Dashboard:
    """Give every panel an id, as Grafana would at each import, and leave out what the SDK says of intervals only."""
    for number, panel in enumerate(dashboard.panels or (), start=1):
        panel.id_val = number
    for variable in dashboard.templating.list_val or ():
        variable.auto = variable.auto_min = variable.auto_count = None
    return dashboard
