"""A resource from before a rule: its status can be written and it can be edited, but not where it breaks the rule.

Tried with the CRD under another group's name, beside everybody's: first without its rules, then with them.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from t2i_operator.crd import crd

from dev.cluster.kubectl import established
from tests.kubectl import KubectlError
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GROUP = "earlier.texttoimage.dev"
# Names of its own: kubectl takes a short one for the first group that has it.
NAMES = {"kind": "EarlierService", "listKind": "EarlierServiceList", "plural": "earlierservices"}
KIND = f"{NAMES['plural']}.{GROUP}"
BEFORE: dict[str, Any] = {
    "metrics": {"interval": "10m"},
    "tracing": {"jaeger": {"storage": {"memory": {"maxTraces": 10_000_000}}}},
}


def without_rules(schema: Any) -> Any:
    if isinstance(schema, dict):
        kept = {name: each for name, each in schema.items() if name != "x-kubernetes-validations"}
        return {name: without_rules(each) for name, each in kept.items()}
    return [without_rules(each) for each in schema] if isinstance(schema, list) else schema


@pytest.fixture
def earlier(kubectl: Callable[..., str], namespace: str) -> Iterator[Callable[..., str]]:
    """Store a resource by the CRD without rules, then install those; returns what patches it."""
    body = copy.deepcopy(crd())
    body["metadata"]["name"], body["spec"]["group"] = KIND, GROUP
    body["spec"]["names"] = {**NAMES, "singular": "earlierservice"}
    resource = {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": NAMES["kind"],
        "metadata": {"name": "pictures", "namespace": namespace},
        "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}], "monitoring": BEFORE},
    }
    kubectl("apply", "--server-side", "--filename=-", input=json.dumps(without_rules(body)))
    try:
        established(kubectl, f"crd/{KIND}")
        eventually(lambda: kubectl("create", "--filename=-", input=json.dumps(resource)), "its kind to be discovered")
        kubectl("apply", "--server-side", "--filename=-", input=json.dumps(body))
        yield lambda patch, *argv: kubectl(
            "patch", KIND, "pictures", f"--namespace={namespace}", "--type=merge", f"--patch={json.dumps(patch)}", *argv
        )
    finally:
        kubectl("delete", f"crd/{KIND}")


def test_a_resource_from_before_a_rule_is_not_stuck(earlier: Callable[..., str]) -> None:
    refused(earlier, {"spec": {"monitoring": {"metrics": {"interval": "9m"}}}}, "metrics.interval exceeds")
    refused(earlier, {"spec": {"monitoring": {"tracing": {"jaeger": {"image": "a"}}}}}, "maxTraces has no room")
    earlier({"spec": {"replicas": 2}})
    earlier({"status": {"observedGeneration": 2}}, "--subresource=status")


def refused(patch: Callable[..., str], body: dict[str, Any], sentence: str) -> None:
    """Ask until the API server has taken the rules in."""

    def said() -> bool:
        try:
            patch(body, "--dry-run=server")
        except KubectlError as refusal:
            return sentence in str(refusal)
        return False

    eventually(said, f"{sentence!r} to be said")
