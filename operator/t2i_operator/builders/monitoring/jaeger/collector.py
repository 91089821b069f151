"""The same Jaeger as an OpenTelemetryCollector, for clusters where the OpenTelemetry operator runs collectors."""

from typing import Any

from t2i_operator import naming, spec
from t2i_operator.builders.metadata import metadata
from t2i_operator.builders.monitoring.jaeger.configuration import configuration
from t2i_operator.builders.monitoring.jaeger.deployment import COMPONENT, credentials_annotation, deployment
from t2i_operator.kube.kinds import OPENTELEMETRY_COLLECTOR, Object


def open_telemetry_collector(resource: spec.TextToImageService, image: str, checksum: str = "") -> Object:
    """Name it so that its Service is called as in the other form: that operator appends `-collector`.

    The pod is the Deployment's own; only the configuration goes by another way. Our ServiceMonitor scrapes it: that
    operator's has neither our labels, by which a Prometheus selects, nor the port of the span metrics.
    """
    pod = deployment(resource, image)["spec"]["template"]["spec"]
    container, annotations = pod["containers"][0], credentials_annotation(checksum)
    return {
        "apiVersion": OPENTELEMETRY_COLLECTOR.api_version,
        "kind": OPENTELEMETRY_COLLECTOR.name,
        "metadata": metadata(resource, naming.jaeger(resource.metadata.name), component=COMPONENT),
        "spec": {
            "mode": "deployment",
            "replicas": 1,
            "deploymentUpdateStrategy": {"type": "Recreate"},
            "image": container["image"],
            "config": _whole_numbers(configuration(resource)),
            "env": container["env"],
            "resources": container["resources"],
            "podSecurityContext": pod["securityContext"],
            "securityContext": container["securityContext"],
            "volumes": [volume for volume in pod["volumes"] if volume["name"] != "config"],
            "volumeMounts": [mount for mount in container["volumeMounts"] if mount["name"] != "config"],
            **({"podAnnotations": annotations} if annotations else {}),
        },
    }


def _whole_numbers(value: Any) -> Any:
    """Spell 10.0 as the API server does in what has no schema, 10: else each look at the object would see drift."""
    if isinstance(value, dict):
        return {name: _whole_numbers(inside) for name, inside in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(inside) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
