"""The operator's ClusterRole fits what it manages: a kind that is added or dropped takes its rights along."""

from pathlib import Path
from typing import Any

import yaml
from t2i_operator.kube.kinds import CHILDREN, SERVICE_ACCOUNT

ROLE = Path(__file__).parents[3] / "manifests/base/role.yaml"
CHILD_VERBS = {"get", "list", "watch", "create", "patch", "delete"}


def granted() -> dict[tuple[str, str], set[str]]:
    """Return what may be done with each resource of each group."""
    rules: list[dict[str, Any]] = next(yaml.safe_load_all(ROLE.read_text()))["rules"]
    return {
        (group, resource): set(rule["verbs"])
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_every_child_can_be_watched_applied_and_pruned_and_nothing_else_can() -> None:
    children = {(kind.api_version.rpartition("/")[0], kind.plural) for kind in CHILDREN if kind != SERVICE_ACCOUNT}

    assert {resource for resource, verbs in granted().items() if verbs == CHILD_VERBS} == children


def test_all_else_is_read_or_reported() -> None:
    others = {resource: verbs for resource, verbs in granted().items() if verbs != CHILD_VERBS}

    assert others == {
        ("texttoimage.dev", "texttoimageservices"): {"get", "list", "watch"},
        ("texttoimage.dev", "texttoimageservices/status"): {"patch"},
        ("texttoimage.dev", "texttoimageservices/finalizers"): {"update"},
        ("", "serviceaccounts"): CHILD_VERBS - {"delete"},
        ("", "pods"): {"list", "watch"},
        ("gateway.networking.k8s.io", "gateways"): {"get"},
        ("monitoring.coreos.com", "alertmanagers"): {"list"},
        ("monitoring.coreos.com", "prometheusagents"): {"list"},
        ("monitoring.coreos.com", "prometheuses"): {"list"},
        ("monitoring.coreos.com", "thanosrulers"): {"list"},
        ("", "namespaces"): {"get"},
        ("events.k8s.io", "events"): {"create"},
    }
