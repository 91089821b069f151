"""Jaeger's ConfigMap and Deployment: one pod under restricted Pod Security."""

import hashlib

import msgspec

from t2i_operator import naming, spec
from t2i_operator.builders.certificates import Mount
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger import memory, storage
from t2i_operator.builders.monitoring.jaeger.configuration import (
    HEALTH,
    METRICS,
    OTLP_GRPC,
    OTLP_HTTP,
    QUERY,
    SPAN_METRICS,
    configuration,
)
from t2i_operator.builders.pod_template import merged
from t2i_operator.builders.restricted import container_security, pod_security, volume_mounts
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, Object
from t2i_operator.spec.jaeger import POD_TEMPLATE

COMPONENT = "jaeger"
PORTS = {
    "otlp-grpc": OTLP_GRPC,
    "otlp-http": OTLP_HTTP,
    naming.COLLECTOR_METRICS_PORT: METRICS,
    naming.SPAN_METRICS_PORT: SPAN_METRICS,
    "http-query": QUERY,
}
_FOLDER, _FILE = "/etc/jaeger/config", "config.json"


def config_map(resource: spec.TextToImageService) -> Object:
    """Return the configuration as JSON, which is YAML, and which no library formats otherwise tomorrow."""
    name = naming.jaeger_config(resource.metadata.name)
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.name,
        "metadata": metadata(resource, name, component=COMPONENT),
        "data": {_FILE: _text(resource)},
    }


def deployment(resource: spec.TextToImageService, image: str, checksum: str = "") -> Object:
    """Recreate rather than roll: memory cannot be shared, and a volume is mounted once."""
    name = resource.metadata.name
    digest = hashlib.sha256(_text(resource).encode()).hexdigest()[:16]
    annotations = {naming.CONFIG_CHECKSUM_ANNOTATION: digest, **credentials_annotation(checksum)}
    # Not the label of the operator's watch: a Jaeger that fails to start is no trouble of the service's rollout.
    labels = naming.selector_labels(name, COMPONENT)
    built: Object = {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": _pod_spec(resource, image),
    }
    return {
        "apiVersion": DEPLOYMENT.api_version,
        "kind": DEPLOYMENT.name,
        "metadata": metadata(resource, naming.jaeger(name), component=COMPONENT),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": naming.selector_labels(name, COMPONENT)},
            "strategy": {"type": "Recreate"},
            "template": merged(built, resource.spec.monitoring.tracing.jaeger.pod_template, POD_TEMPLATE),
        },
    }


def credentials_annotation(checksum: str) -> dict[str, str]:
    """Roll the pod when what it reads from Secrets changes: it looks at neither variables nor files again."""
    return {naming.CREDENTIALS_CHECKSUM_ANNOTATION: checksum} if checksum else {}


def _text(resource: spec.TextToImageService) -> str:
    return msgspec.json.format(msgspec.json.encode(configuration(resource)), indent=2).decode()


def _mounts(resource: spec.TextToImageService) -> list[Mount]:
    config = {"name": "config", "configMap": {"name": naming.jaeger_config(resource.metadata.name)}}
    scratch: Object = {"name": "tmp", "emptyDir": {}}
    return [
        Mount(config, _FOLDER),
        Mount(scratch, "/tmp", read_only=False),  # noqa: S108 - the container's own emptyDir
        *storage.mounts(resource),
    ]


def _pod_spec(resource: spec.TextToImageService, image: str) -> Object:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "containers": [_container(resource, image)],
        "volumes": [mount.volume for mount in _mounts(resource)],
    }


def _container(resource: spec.TextToImageService, image: str) -> Object:
    wanted = resource.spec.monitoring.tracing.jaeger
    return {
        "name": COMPONENT,
        "image": wanted.image or image,
        "imagePullPolicy": "IfNotPresent",
        "args": [f"--config={_FOLDER}/{_FILE}"],
        "env": [*memory.environment(resource), *storage.environment(resource)],
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in PORTS.items()],
        "readinessProbe": _probe(period=5),
        "livenessProbe": _probe(period=15),
        "startupProbe": _probe(period=2) | {"failureThreshold": 60},
        "resources": memory.resources(resource),
        "securityContext": container_security(),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": volume_mounts(_mounts(resource)),
    }


def _probe(*, period: int) -> Object:
    return {"httpGet": {"path": "/status", "port": HEALTH, "scheme": "HTTP"}, "periodSeconds": period}
