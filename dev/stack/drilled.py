"""What a drill is held with: a service whose alerts look back a minute, its traffic, and what an alert must carry."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from dev.cluster.errors import UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME, SECRET, RECEIVER = "drill", "drill-webhook", "webhook"
CALM = {"latency": "10ms", "failureRate": "0"}
TROUBLE = {"latency": "1s500ms", "failureRate": "0.5"}
MISBEHAVIOUR = ("HighErrorRate", "HighLatency", "ImageGenerationFailure", "TextToImageErrorBudgetBurn")
DOWN, ABSENT, COST = "TextToImageDown", "TextToImageAbsent", "TextToImageCostAboveBudget"
# Where a link to a dashboard leads; nobody follows it here.
GRAFANA = "https://grafana.example.com"

Alert = dict[str, Any]


def model(sandbox: dict[str, str]) -> dict[str, Any]:
    """Return the only model, behaving as asked; a picture alone costs more than the budget."""
    return {"name": "sdxl", "provider": "Sandbox", "price": {"perImage": "0.02"}, "sandbox": sandbox}


def resource(namespace: str) -> dict[str, Any]:
    """Return a service whose alerts look back one minute instead of five or sixty, and go to a webhook."""
    thresholds = {"window": "1m", "for": "15s", "downFor": "15s", "latencyP95": "1s"}
    fast = {
        "name": "fast",
        "severity": "Critical",
        "factor": "2",
        "longWindow": "2m",
        "shortWindow": "30s",
        "for": "15s",
    }
    alerts = {
        "thresholds": thresholds,
        "burnRates": [fast],
        "anomalies": {"mode": "Disabled"},
        "budget": {"amount": "0.01"},
        "receivers": [{"name": RECEIVER, "webhook": {"url": {"secretKeyRef": {"name": SECRET, "key": "url"}}}}],
    }
    monitoring = {
        "metrics": {"interval": "5s"},
        "alerts": alerts,
        "tracing": {"mode": "Disabled"},
        "dashboards": {"grafanaURL": GRAFANA},
    }
    return {
        "apiVersion": "texttoimage.dev/v1alpha1",
        "kind": "TextToImageService",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {"models": [model(CALM)], "monitoring": monitoring},
    }


@contextmanager
def traffic(url: str) -> Iterator[None]:
    """Ask for small pictures, several at a time, for as long as it takes."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=30) as client:
            while not over.wait(0.5):
                try:
                    client.post(f"{url}/generate", json={"prompt": "a drill", "width": 64, "height": 64})
                except httpx.TransportError:
                    continue

    callers = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()


def check(name: str, alert: Alert, namespace: str) -> None:
    """Hold what arrived to what a person on call needs; raises UnfitError."""
    labels, annotations = alert["labels"], alert["annotations"]
    if labels.get("service") != f"{NAME}-service" or labels.get("namespace") != namespace or "severity" not in labels:
        raise UnfitError(f"{name} arrived without the labels that it is routed by: {labels}")
    runbook, dashboard = annotations.get("runbook_url", ""), annotations.get("dashboard_url", "")
    if not (_absolute(runbook) and runbook.endswith(f"/{name}.md") and dashboard.startswith(f"{GRAFANA}/d/")):
        raise UnfitError(f"{name} arrived without links that a mail or a chat can follow: {annotations}")
    if not (annotations.get("summary") and annotations.get("description")):
        raise UnfitError(f"{name} arrived without words: {annotations}")


def _absolute(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)
