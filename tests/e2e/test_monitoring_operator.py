"""The operator watched as manifests/monitoring has it, on the real Prometheus: target, dashboard and alerts."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.e2e.boards import filled_queries
from tests.e2e.subject import Subject, until
from tests.unit.operator.resources import UNOBSERVED

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api import Api
    from tests.e2e.boards import Query
    from tests.e2e.expected import Values
    from tests.e2e.prometheus import Prometheus

pytestmark = pytest.mark.timeout(600)

HERE = Path("manifests/monitoring")
SYSTEM = "text-to-image-system"
TARGET = f'up{{job="text-to-image-operator",namespace="{SYSTEM}"}}'
UP = f"{TARGET} == 1"
# A resource whose Secret is missing.
LACKING = {
    "replicas": 0,
    "models": [{"name": "sdxl", "provider": "Replicate", "version": "owner/model:" + 64 * "0"}],
    "credentials": {"secretRef": {"name": "nowhere"}},
    "monitoring": UNOBSERVED,
}
# What the API server says as well, by panel.
FADING = {("TextToImageOperatorFailing", "pending")}
KNOWN = {"Ready", "Leading", "Conditions that do not hold"}
# How long the API server may take to say what the operator knows, and this machine to ask both.
SECONDS_APART = 5


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
    subject.apply(LACKING)
    subject.wait("CredentialsReady", "False", "SecretMissing")
    service, label = f"{subject.name}-service", "app.kubernetes.io/managed-by"
    until(lambda: subject.get("service", service), "its Service")
    kubectl("label", "service", service, f"{label}=nobody", "--overwrite", "-n", subject.namespace)
    until(lambda: subject.get("service", service)["metadata"]["labels"][label] != "nobody", "the label to be put back")
    asked = _queries(kubectl)
    assert asked

    def complete() -> bool:
        assert [(query.title, query.legend) for query in asked if not watched.query(query.expr)] == []
        return True

    until(complete, "data for every query", seconds=150)


def test_its_alerts_are_loaded_and_quiet(watched: Prometheus, checkout: Path) -> None:
    """A test before may have stopped the operator: what that made pending, or fire, ends by itself.

    TextToImageOperatorFailing looks back for ten minutes, so it may still be pending by what a test before did.
    """
    (group,) = yaml.safe_load((checkout / HERE / "prometheus_rule.yaml").read_text())["spec"]["groups"]
    wanted = {rule["alert"] for rule in group["rules"]}

    def quiet() -> list[dict[str, Any]]:
        groups = watched.get("rules", type="alert")["groups"]
        rules = [rule for each in groups if each["name"] == group["name"] for rule in each["rules"]]
        assert {rule["name"] for rule in rules} == wanted
        assert {(rule["name"], rule["health"]) for rule in rules} == {(name, "ok") for name in wanted}
        assert {rule["name"]: rule["state"] for rule in rules if rule["state"] != "inactive"}.items() - FADING == set()
        return rules

    until(quiet, "the rules to be loaded, evaluated and quiet", seconds=180)


def test_its_dashboard_says_of_resources_what_the_api_server_says(
    watched: Prometheus, subject: Subject, kubectl: Callable[..., str], api: Api
) -> None:
    """Compare a scrape with what was so when it was made: other tests' resources come and go beside.

    The rest nobody but the operator knows: how often and for how long it reconciled, what waits and for how long, what
    it put back and asked the API server, when it last heard of each stream, and how much memory it takes.
    """
    subject.apply(LACKING)
    subject.wait("CredentialsReady", "False", "SecretMissing")
    asked = [query for query in _queries(kubectl) if query.title in KNOWN]
    assert {query.title for query in asked} == KNOWN
    stood: list[tuple[float, Values]] = []

    def agree() -> bool:
        now = time.time()
        stood.append((now, _standing(api)))
        scraped = float(watched.query(f"max(timestamp({TARGET}))", at=now)[0]["value"][1])
        shown = _shown(watched, asked, now)
        assert shown["Conditions that do not hold", "CredentialsReady", "False"] >= 1
        then = [values for at, values in stood if abs(at - scraped) <= SECONDS_APART]
        assert shown in then, f"{shown}, not {then}"
        return True

    until(agree, "a scrape that says what the API server says", seconds=150)


def _queries(kubectl: Callable[..., str]) -> list[Query]:
    stored = kubectl("get", "configmap", "text-to-image-operator-dashboard", f"--namespace={SYSTEM}", "-o", "json")
    (text,) = json.loads(stored)["data"].values()
    return filled_queries("operator", text, window="2m", shown="30m", namespace=SYSTEM)


def _shown(prometheus: Prometheus, asked: list[Query], at: float) -> Values:
    """Return the panels' values by title, and by condition and status where there are several."""
    values: Values = {}
    for query in asked:
        for series in prometheus.query(query.expr, at=at):
            labels = series["metric"]
            apart = (labels[word] for word in ("condition", "status") if word in labels)
            values[query.title, *apart] = float(series["value"][1])
    return values


def _standing(api: Api) -> Values:
    """Return the same of the resources and the Lease; those of a class are another operator's."""
    found = api.request("GET", "/apis/texttoimage.dev/v1alpha1/texttoimageservices")["items"]
    ours = [each for each in found if "className" not in each["spec"]]
    held = Counter(
        (each["type"], each["status"]) for one in ours for each in one.get("status", {}).get("conditions", ())
    )
    failing: Values = {
        ("Conditions that do not hold", *each): count for each, count in held.items() if each[1] != "True"
    }
    leads = bool(api.get("leases", SYSTEM, "text-to-image-operator")["spec"].get("holderIdentity"))
    return {("Ready",): held["Ready", "True"], ("Leading",): leads, **failing}


@pytest.mark.usefixtures("stack")
def test_the_sample_of_who_hears_of_them_would_be_taken(kubectl: Callable[..., str], checkout: Path) -> None:
    sample = str(checkout / HERE / "alertmanager_config.yaml")
    kubectl("apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "--filename", sample)
