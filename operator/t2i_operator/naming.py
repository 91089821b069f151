"""Every name, label, annotation and selector that the operator writes, chosen once and for ever."""

from typing import NamedTuple

GROUP = "texttoimage.dev"
VERSION = "v1alpha1"
PLURAL = "texttoimageservices"
RESOURCE_KIND = "TextToImageService"

OPERATOR = "text-to-image-operator"
FIELD_MANAGER = OPERATOR

NAME_LABEL = "app.kubernetes.io/name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
# The Deployment controller's own, on each pod that it makes.
TEMPLATE_HASH_LABEL = "pod-template-hash"
# The user's word on a Secret of theirs: "act on it at once" (as CloudNativePG's `cnpg.io/reload`).
RELOAD_LABEL = f"{GROUP}/reload"

ADOPT_ANNOTATION = f"{GROUP}/adopt"
# Proves an object ours after its ownerReference was removed by hand.
OWNER_UID_ANNOTATION = f"{GROUP}/owner-uid"
# How many pods are kept where the spec states no number: what a Deployment says is anybody's to change.
REPLICAS_ANNOTATION = f"{GROUP}/replicas"
CONFIG_CHECKSUM_ANNOTATION = f"{GROUP}/config-checksum"
CREDENTIALS_CHECKSUM_ANNOTATION = f"{GROUP}/credentials-checksum"
KEYS_CHECKSUM_ANNOTATION = f"{GROUP}/keys-checksum"
ENVIRONMENT_CHECKSUM_ANNOTATION = f"{GROUP}/environment-checksum"
CERTIFICATES_CHECKSUM_ANNOTATION = f"{GROUP}/certificates-checksum"

CHILD_SELECTOR = f"{MANAGED_BY_LABEL}={OPERATOR}"
RELOAD_SELECTOR = RELOAD_LABEL

SERVICE_COMPONENT = "service"
CONTAINER = "text-to-image"
PORT_NAME = "http"
CONTAINER_PORT = 8000
SPAN_METRICS_PORT = "span-metrics"
COLLECTOR_METRICS_PORT = "metrics"
TOPICS = ("overview", "models", "business", "traces")
_LABEL_LENGTH = 63


class Key(NamedTuple):
    """Which `TextToImageService`: the unit of work of the queue."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def deployment(name: str) -> str:
    """Name the Deployment of the service."""
    return name


def trial(name: str) -> str:
    """Name a Deployment that is only ever a dry run: names of resources have no dots, so it is nobody's."""
    return f"{name}.trial"


def service_account(name: str) -> str:
    """Name the ServiceAccount of the pods."""
    return name


def service(name: str) -> str:
    """Name the Service; a resource's name must leave room for the longest suffix (46 + 17 characters)."""
    return f"{name}-service"


def config(name: str) -> str:
    """Name the ConfigMap with the models."""
    return f"{name}-config"


def credentials(name: str) -> str:
    """Name the Secret that the providers' keys are composed into."""
    return f"{name}-secrets"


def keys(name: str) -> str:
    """Name the Secret of generated keys."""
    return f"{name}-keys"


def service_monitor(name: str) -> str:
    """Name the ServiceMonitor."""
    return f"{name}-monitor"


def prometheus_rule(name: str) -> str:
    """Name the PrometheusRule."""
    return f"{name}-alerts"


def alertmanager_config(name: str) -> str:
    """Name the AlertmanagerConfig."""
    return f"{name}-alerts"


def dashboard(name: str, topic: str) -> str:
    """Name the ConfigMap or GrafanaDashboard of one topic."""
    return f"{name}-dashboard-{topic}"


def jaeger(name: str) -> str:
    """Name Jaeger's Deployment, its volume claim and its NetworkPolicy."""
    return f"{name}-jaeger"


def jaeger_config(name: str) -> str:
    """Name the ConfigMap of Jaeger's configuration."""
    return f"{name}-jaeger-config"


def jaeger_collector(name: str) -> str:
    """Name the Service that spans are sent to."""
    return f"{name}-jaeger-collector"


def jaeger_endpoint(key: Key, port: int) -> str:
    """Return where the service sends its spans; the port says by which protocol."""
    return f"http://{jaeger_collector(key.name)}.{key.namespace}.svc:{port}"


def jaeger_metrics(name: str) -> str:
    """Name the Service that Prometheus finds the pods of an OpenTelemetryCollector by."""
    return f"{name}-jaeger-metrics"


def collector_selector(namespace: str, name: str) -> dict[str, str]:
    """Return the labels that the OpenTelemetry operator selects a collector's pods by, which never change either.

    Source: `SelectorLabels` and `Truncate` of open-telemetry/opentelemetry-operator; a long namespace is cut.
    """
    return {
        INSTANCE_LABEL: f"{namespace[: _LABEL_LENGTH - len(name) - 1]}.{name}",
        COMPONENT_LABEL: "opentelemetry-collector",
        MANAGED_BY_LABEL: "opentelemetry-operator",
    }


def jaeger_query(name: str) -> str:
    """Name the Service of Jaeger's pages."""
    return f"{name}-jaeger-query"


def jaeger_monitor(name: str) -> str:
    """Name the ServiceMonitor of Jaeger."""
    return f"{name}-jaeger-monitor"


def autoscaler(name: str) -> str:
    """Name the HorizontalPodAutoscaler."""
    return name


def pod_disruption_budget(name: str) -> str:
    """Name the PodDisruptionBudget."""
    return name


def network_policy(name: str) -> str:
    """Name the NetworkPolicy."""
    return name


def ingress(name: str) -> str:
    """Name the Ingress."""
    return name


def http_route(name: str) -> str:
    """Name the HTTPRoute."""
    return name


def selector_labels(name: str, component: str = SERVICE_COMPONENT) -> dict[str, str]:
    """Return the labels a Deployment selects its pods by; they can never change, so they hold nothing else."""
    return {NAME_LABEL: "text-to-image", INSTANCE_LABEL: name, COMPONENT_LABEL: component}


def labels(name: str, component: str = SERVICE_COMPONENT) -> dict[str, str]:
    """Return the labels of every object; the last one is what the operator's streams select by."""
    return {**selector_labels(name, component), MANAGED_BY_LABEL: OPERATOR}


def selector_text(name: str) -> str:
    """Return the pods' selector as the `scale` subresource wants it: one string."""
    return ",".join(f"{label}={value}" for label, value in sorted(selector_labels(name).items()))


def endpoint(key: Key, port: int = 80) -> str:
    """Return where the service answers inside the cluster."""
    suffix = "" if port == 80 else f":{port}"
    return f"http://{service(key.name)}.{key.namespace}.svc{suffix}"
