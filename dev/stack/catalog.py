"""The programs and images of the stack, under the very names that the manifests and the operator give them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dev.cluster.images import Image
from dev.cluster.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKERFILES = Path(__file__).parent / "images"
OPERATOR_MODULE = "github.com/prometheus-operator/prometheus-operator"
JAEGER_MODULE, METRICS_MODULE = "github.com/jaegertracing/jaeger", "sigs.k8s.io/metrics-server"

# In the order of need: the service's own spans wait for Jaeger, people wait for Prometheus.
TOOLS = (
    Tool("jaeger", "jaeger", f"{JAEGER_MODULE}/cmd/jaeger", JAEGER_MODULE),
    Tool("prometheus-operator", "prometheus-operator", f"{OPERATOR_MODULE}/cmd/operator", OPERATOR_MODULE),
    Tool(
        "prometheus-config-reloader",
        "prometheus-operator",
        f"{OPERATOR_MODULE}/cmd/prometheus-config-reloader",
        OPERATOR_MODULE,
    ),
    Tool("metrics-server", "metrics-server", f"{METRICS_MODULE}/cmd/metrics-server", METRICS_MODULE),
)
JAEGER, OPERATOR, RELOADER, METRICS_SERVER = TOOLS

# What k8s/eks/monitoring.yaml and the operator's default ask for; here it is Debian's build, or our own.
PUBLISHED = {
    "jaeger": "cr.jaegertracing.io/jaegertracing/jaeger:2.13.0",
    "prometheus": "quay.io/prometheus/prometheus:v2.53.3",
    "alertmanager": "quay.io/prometheus/alertmanager:v0.28.1",
}


def go_image(tool: Tool, program: Path) -> Image:
    """Return the image of one of our Go programs."""
    if tool is RELOADER:
        return _local(tool.name, "reloader.Dockerfile", {tool.name: program})
    if tool is JAEGER:
        return Image("jaeger", DOCKERFILES / "program.Dockerfile", {"program": program}, published=PUBLISHED["jaeger"])
    return _local(tool.name, "program.Dockerfile", {"program": program})


def debian_images(base: str) -> list[Image]:
    """Return Prometheus and Alertmanager on the base that the cluster's own images stand on."""
    packages = {"prometheus": "prometheus", "alertmanager": "prometheus-alertmanager"}
    return [
        Image(
            name, DOCKERFILES / "debian.Dockerfile", {}, {"BASE": base, "PACKAGE": package}, published=PUBLISHED[name]
        )
        for name, package in packages.items()
    ]


def _local(name: str, dockerfile: str, files: Mapping[str, Path | bytes]) -> Image:
    return Image(f"localhost/text-to-image/{name}", DOCKERFILES / dockerfile, files)
