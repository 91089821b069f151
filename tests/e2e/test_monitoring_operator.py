"""The operator watched as manifests/monitoring has it, on the real Prometheus: target, dashboard and alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.boards import filled_queries
from tests.e2e.subject import Subject, until
from tests.unit.operator.resources import UNOBSERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)

HERE = Path("manifests/monitoring")
SYSTEM = "text-to-image-system"
UP = f'up{{job="text-to-image-operator",namespace="{SYSTEM}"}} == 1'


@pytest.fixture
def watched(prometheus: Prometheus, checkout: Path, kubectl: Callable[..., str]) -> Prometheus:
    """Apply it as its kustomization says, and wait for the target as users do, three minutes at most."""
    kubectl("apply", "-k", str(checkout / HERE))
    until(lambda: prometheus.query(UP), "the operator's target to be up", seconds=180)
    return prometheus


def test_every_query_of_its_dashboard_has_data(
    watched: Prometheus, subject: Subject, kubectl: Callable[..., str]
) -> None:
    """A resource lacks its Secret, and somebody changes one of its objects: each panel has something to show."""
    models = [{"name": "sdxl", "provider": "Replicate", "version": "owner/model:" + 64 * "0"}]
    missing = {"secretRef": {"name": "nowhere"}}
    subject.apply({"replicas": 0, "models": models, "credentials": missing, "monitoring": UNOBSERVED})
    subject.wait("CredentialsReady", "False", "SecretMissing")
    service, label = f"{subject.name}-service", "app.kubernetes.io/managed-by"
    until(lambda: subject.get("service", service), "its Service")
    kubectl("label", "service", service, f"{label}=nobody", "--overwrite", "-n", subject.namespace)
    until(lambda: subject.get("service", service)["metadata"]["labels"][label] != "nobody", "the label to be put back")
    stored = kubectl("get", "configmap", "text-to-image-operator-dashboard", f"--namespace={SYSTEM}", "-o", "json")
    (text,) = json.loads(stored)["data"].values()
    asked = filled_queries("operator", text, window="2m", shown="30m", namespace=SYSTEM)
    assert asked

    def complete() -> bool:
        assert [(query.title, query.legend) for query in asked if not watched.query(query.expr)] == []
        return True

    until(complete, "data for every query", seconds=150)


def test_its_alerts_are_loaded_and_quiet(watched: Prometheus, checkout: Path) -> None:
    """A test before may have stopped the operator: what that made pending, or fire, ends by itself."""
    (group,) = yaml.safe_load((checkout / HERE / "prometheus_rule.yaml").read_text())["spec"]["groups"]
    wanted = {rule["alert"] for rule in group["rules"]}

    def quiet() -> list[dict[str, Any]]:
        groups = watched.get("rules", type="alert")["groups"]
        rules = [rule for each in groups if each["name"] == group["name"] for rule in each["rules"]]
        assert {rule["name"] for rule in rules} == wanted
        assert {(rule["name"], rule["health"]) for rule in rules} == {(name, "ok") for name in wanted}
        assert {rule["name"]: rule["state"] for rule in rules if rule["state"] != "inactive"} == {}
        return rules

    until(quiet, "the rules to be loaded, evaluated and quiet", seconds=180)


@pytest.mark.usefixtures("stack")
def test_the_sample_of_who_hears_of_them_would_be_taken(kubectl: Callable[..., str], checkout: Path) -> None:
    sample = str(checkout / HERE / "alertmanager_config.yaml")
    kubectl("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--filename", sample)
