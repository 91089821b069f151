"""The dashboards: generated once for all (see dashboards/), and made this resource's own here."""

import functools
from decimal import Decimal
from importlib import resources
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring import links
from t2i_operator.builders.monitoring.promql import scope
from t2i_operator.kube.kinds import CONFIG_MAP, GRAFANA_DASHBOARD, Object
from t2i_operator.spec.monitoring import Dashboards

FOLDER = "Text to image"
# The series whose values of that label a variable offers; dashboards/ asks for them alone, as of nobody's dashboard.
OFFERED = {"namespace": "t2i_build_info", "service": 't2i_build_info{namespace="$namespace"}'}
# The variables that choose which traces to search.
SEARCHED = ("jaeger", "traces")
# All that Grafana's schema asks of a link.
_LINK: Object = {
    "type": "link",
    "icon": "external link",
    "tooltip": "",
    "tags": [],
    "asDropdown": False,
    "includeVars": False,
    "keepTime": False,
    "targetBlank": True,
}
# What Grafana's sidecar looks for when its chart is installed without further words.
_SIDECAR_LABELS = {"grafana_dashboard": "1"}


def topics(resource: spec.TextToImageService) -> tuple[str, ...]:
    """Leave out what would stay empty: spans become metrics only in the operator's own Jaeger."""
    return tuple(topic for topic in naming.TOPICS if _is_traced(resource) or topic != "traces")


def dashboards(resource: spec.TextToImageService) -> list[Object]:
    """Return one object a topic, in the format that the spec asks for."""
    build = _grafana_dashboard if resource.spec.monitoring.dashboards.for_grafana_operator else _config_map
    return [build(resource, topic) for topic in topics(resource)]


def content(resource: spec.TextToImageService, topic: str) -> str:
    """Return the dashboard with its own uid, title and tag, set to this service and to its scrapes, its links added."""
    body: Object = msgspec.json.decode(_frame(topic, traced=_is_traced(resource)))
    owner = resource.metadata
    body["uid"] = links.dashboard_uid(resource, topic)
    body["title"] = f"{owner.namespace} / {owner.name} / {topic.capitalize()}"
    own = {"namespace": owner.namespace, "service": naming.service(owner.name), "jaeger": owner.name}
    for variable in body["templating"]["list"]:
        if value := own.get(variable["name"]):
            variable.update(_chosen(variable["name"], value, owner.namespace))
    body["panels"] = msgspec.Raw(_panels(topic, _step(resource), _limits(resource)))
    body["tags"].append(links.dashboard_tag(resource))
    for link in (link for link in body["links"] if link["title"] == links.RUNBOOKS_TITLE):
        link["url"] = links.runbooks(resource)
    body["links"] = [_own_dashboards(resource), *body["links"], *_links(resource)]
    return msgspec.json.encode(body, order="sorted").decode()


def _is_traced(resource: spec.TextToImageService) -> bool:
    return resource.spec.monitoring.tracing.mode == "Managed"


def _chosen(name: str, value: str, namespace: str) -> Object:
    """Offer the value also while it has no series: for one that is not offered Grafana takes the first that is.

    The service is offered in its own namespace alone: in another one it would stay chosen and show nothing.
    """
    body: Object = {"current": {"text": value, "value": value, "selected": True}}
    if series := OFFERED.get(name):
        own = f'label_replace(vector(1), "namespace", "{namespace}", "", "")'
        if name == "service":
            chosen = 'label_replace(vector(1), "namespace", "$namespace", "", "")'
            own = f'label_replace({chosen}, "service", "{value}", "namespace", "{namespace}")'
        body["query"] = f"query_result(group by ({name}) (last_over_time({series}[$__range]) or {own}))"
        body["regex"] = f'/{name}="([^"]+)"/'
    return body


def _step(resource: spec.TextToImageService) -> str:
    """Say how often is scraped in one unit, as Grafana writes it: its `$__rate_interval` is four times as long."""
    seconds = spec.seconds(resource.spec.monitoring.metrics.scrape_interval)
    return f"{int(seconds)}s" if seconds == int(seconds) else f"{int(seconds * 1000)}ms"


def _thresholds(panel: Object) -> list[Object]:
    steps: list[Object] = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", [])
    return steps


class _Limits(NamedTuple):
    """From where on a panel is red; dashboards/ names the limits of its panels so, with spaces."""

    availability: float
    latency: float
    generation_success: float


def _limits(resource: spec.TextToImageService) -> _Limits:
    """Say where the alert on what a panel shows fires, or an objective is missed."""
    alerts = resource.spec.monitoring.alerts
    return _Limits(
        availability=float(alerts.slo.availability),
        latency=float(spec.seconds(alerts.thresholds.latency_p95)),
        generation_success=float(1 - Decimal(alerts.thresholds.generation_failure_rate)),
    )


@functools.lru_cache(maxsize=16)
def _panels(topic: str, step: str, limits: _Limits) -> bytes:
    """Return nine tenths of a dashboard, which most services have in common."""
    panels: list[Object] = _generated(topic)["panels"]
    for panel in panels:
        for target in (target for target in panel.get("targets", ()) if "interval" in target):
            target["interval"] = step
        for threshold in (threshold for threshold in _thresholds(panel) if "of" in threshold):
            threshold["value"] = getattr(limits, threshold.pop("of").replace(" ", "_"))
    return msgspec.json.encode(panels, order="sorted")


@functools.cache
def _frame(topic: str, *, traced: bool) -> bytes:
    """Return the rest, without what leads to a Jaeger of ours where there is none."""
    body = {name: value for name, value in _generated(topic).items() if name != "panels"}
    if not traced:
        body["links"] = [link for link in body["links"] if link["title"] != links.TRACES_TITLE]
        variables = body["templating"]["list"]
        body["templating"]["list"] = [variable for variable in variables if variable["name"] not in SEARCHED]
    return msgspec.json.encode(body)


def _generated(topic: str) -> Object:
    file = resources.files("t2i_operator.builders.monitoring").joinpath("dashboards", f"{topic}.json")
    body: Object = msgspec.json.decode(file.read_bytes())
    return body


def _own_dashboards(resource: spec.TextToImageService) -> Object:
    """Lead to this service's others with what is chosen here; no dashboard of another service must take it over."""
    return {
        **_LINK,
        "type": "dashboards",
        "title": "This service",
        "tags": [links.dashboard_tag(resource)],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
    }


def _links(resource: spec.TextToImageService) -> list[Object]:
    wanted, pages = resource.spec.monitoring.dashboards, {}
    if wanted.trace_url:
        traces = wanted.trace_url.rstrip("/")
        pages = {
            "Traces": f"{traces}/search?service={resource.metadata.name}",
            "Dependencies": f"{traces}/dependencies",
        }
    if wanted.prometheus_url:
        shown = urlencode({"g0.expr": scope(resource).select("up"), "g0.tab": 0, "g0.range_input": "6h"})
        pages["Prometheus"] = f"{wanted.prometheus_url.rstrip('/')}/graph?{shown}"
    return [{**_LINK, "title": title, "url": url} for title, url in pages.items()]


def _metadata(resource: spec.TextToImageService, topic: str, annotations: dict[str, str]) -> Object:
    wanted = resource.spec.monitoring.dashboards
    name = naming.dashboard(resource.metadata.name, topic)
    body = metadata(resource, name, annotations={**wanted.annotations, **annotations})
    body["labels"] = {**(wanted.labels or _SIDECAR_LABELS), **body["labels"]}
    return body


def _folder(wanted: Dashboards) -> str:
    return wanted.folder or FOLDER


def _config_map(resource: spec.TextToImageService, topic: str) -> Object:
    """Name the key for the resource: a sidecar writes the keys of all ConfigMaps into one folder."""
    owner = resource.metadata
    folder = {"grafana_folder": _folder(resource.spec.monitoring.dashboards)}
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": _metadata(resource, topic, folder),
        "data": {f"{owner.namespace}-{owner.name}-{topic}.json": content(resource, topic)},
    }


def _grafana_dashboard(resource: spec.TextToImageService, topic: str) -> Object:
    """Write the Grafana operator's form; CEL has made sure that there is a selector."""
    wanted = resource.spec.monitoring.dashboards
    selector = spec.to_wire(wanted.instance_selector) if wanted.instance_selector else {}
    return {
        "apiVersion": GRAFANA_DASHBOARD.api_version,
        "kind": GRAFANA_DASHBOARD.name,
        "metadata": _metadata(resource, topic, {}),
        "spec": {
            "instanceSelector": selector,
            # Else only a Grafana of the resource's own namespace would show it, whatever its labels.
            "allowCrossNamespaceImport": True,
            "folder": _folder(wanted),
            "uid": links.dashboard_uid(resource, topic),
            "json": content(resource, topic),
        },
    }
