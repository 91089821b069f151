"""Every object for monitoring that a resource wants."""

from collections.abc import Iterator

from t2i_operator import spec
from t2i_operator.builders.monitoring.alertmanager_config import alertmanager_config
from t2i_operator.builders.monitoring.dashboard import dashboards
from t2i_operator.builders.monitoring.jaeger.collector import open_telemetry_collector
from t2i_operator.builders.monitoring.jaeger.deployment import config_map, deployment
from t2i_operator.builders.monitoring.jaeger.network_policy import network_policy
from t2i_operator.builders.monitoring.jaeger.services import collector_service, metrics_service, query_service
from t2i_operator.builders.monitoring.jaeger.storage import volume_claim
from t2i_operator.builders.monitoring.prometheus_rule import prometheus_rule
from t2i_operator.builders.monitoring.service_monitor import jaeger_monitor, service_monitor
from t2i_operator.builders.observed import Observed
from t2i_operator.kube.kinds import Object


def monitoring_objects(resource: spec.TextToImageService, observed: Observed) -> Iterator[Object]:
    """Yield them; which of the optional kinds the cluster knows is the caller's to see."""
    wanted = resource.spec.monitoring
    if wanted.tracing.mode == "Managed":
        yield from _jaeger(resource, observed)
    if wanted.metrics.mode == "Managed":
        yield service_monitor(resource)
    if wanted.alerts.mode == "Managed":
        yield prometheus_rule(resource)
        if wanted.alerts.receivers:
            yield alertmanager_config(resource)
    if wanted.dashboards.mode == "Managed":
        yield from dashboards(resource)


def _jaeger(resource: spec.TextToImageService, observed: Observed) -> Iterator[Object]:
    image, checksum = observed.jaeger_image, observed.storage_checksum
    claim, policy = volume_claim(resource, observed.volume_size), network_policy(resource)
    yield from (each for each in (claim, policy) if each)
    scraped = resource.spec.monitoring.metrics.mode == "Managed"
    yield query_service(resource)
    if resource.spec.monitoring.tracing.jaeger.is_collector:
        yield open_telemetry_collector(resource, image, checksum)
        if scraped:
            yield metrics_service(resource)
    else:
        yield config_map(resource)
        yield collector_service(resource)
        yield deployment(resource, image, checksum)
    if scraped:
        yield jaeger_monitor(resource)
