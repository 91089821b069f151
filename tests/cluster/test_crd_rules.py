"""Every rule across fields, in front of the real API server: what passes, what is refused and with which sentence."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.crd_schema import Rule, rules
from tests.kubectl import KubectlError

Object = dict[str, Any]


RULES = [rule for rule in rules() if not rule.scalar]
CASES: list[Object] = yaml.safe_load(Path(__file__).with_name("crd_rules.yaml").read_text())


def matching(case: Object) -> list[Rule]:
    return [rule for rule in RULES if rule.at == case["at"] and rule.message.startswith(case["says"])]


def resource(spec: Object, name: str = "try") -> str:
    body = {
        "apiVersion": "texttoimage.dev/v1alpha1",
        "kind": "TextToImageService",
        "metadata": {"name": name},
        "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}], **spec},
    }
    return json.dumps(body)


def label(case: Object) -> str:
    return f"{case['at'] or 'resource'}: {case['says']}"


each_rule = pytest.mark.parametrize("case", CASES, ids=label)


def test_every_rule_has_a_case() -> None:
    assert {rule for case in CASES for rule in matching(case)} == set(RULES)


@pytest.fixture(scope="module")
def shared_namespace(kubectl: Callable[..., str], crd: str) -> Iterator[str]:
    name = f"crd-rules-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def apply(case: Object, kubectl: Callable[..., str], shared_namespace: str) -> Iterator[Callable[..., str]]:
    """Apply by dry-run, over the resource that the case wants to be there before."""
    where = f"--namespace={shared_namespace}"
    if "before" in case:
        kubectl("apply", "--server-side", where, "--filename=-", input=resource(case["before"]))
    yield lambda body: kubectl("apply", "--server-side", "--dry-run=server", where, "--filename=-", input=body)
    if "before" in case:
        kubectl("delete", where, "t2i", "try")


@each_rule
def test_passes(case: Object, apply: Callable[..., str]) -> None:
    name = case.get("names", ["try"])[0]

    assert "serverside-applied" in apply(resource(case["passes"], name))


@each_rule
def test_refused_with_its_sentence(case: Object, apply: Callable[..., str]) -> None:
    [rule] = matching(case)

    with pytest.raises(KubectlError) as refusal:
        apply(resource(case["refused"], case.get("names", ["try"])[-1]))

    said = str(refusal.value)
    assert rule.message in said
    assert said.count("Invalid value") == 1, "other rules refuse it as well"
    assert rule.at.replace("[]", "[0]") in said


def test_a_volume_that_went_with_its_jaeger_holds_nothing_up(
    kubectl: Callable[..., str], shared_namespace: str
) -> None:
    def apply(mode: str, size: str, storage_class: str) -> str:
        badger = {"size": size, "storageClassName": storage_class}
        tracing = {"mode": mode, "jaeger": {"storage": {"type": "Badger", "badger": badger}}}
        body = resource({"monitoring": {"tracing": tracing}}, "gone")
        return kubectl("apply", "--server-side", f"--namespace={shared_namespace}", "--filename=-", input=body)

    apply("Managed", "20Gi", "fast")
    apply("Disabled", "20Gi", "fast")
    assert "serverside-applied" in apply("Managed", "10Gi", "slow")
