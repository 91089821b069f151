"""Every rule across fields, in front of the real API server: what passes, what is refused and with which sentence."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.api import Api, Object, Refused
from tests.cluster.crd_schema import Rule, rules

pytestmark = pytest.mark.usefixtures("crd")
PLURAL = "texttoimageservices"
RULES = [rule for rule in rules() if not rule.scalar]
CASES: list[Object] = yaml.safe_load(Path(__file__).with_name("crd_rules.yaml").read_text())


def matching(case: Object) -> list[Rule]:
    return [rule for rule in RULES if rule.at == case["at"] and rule.message.startswith(case["says"])]


def applied(api: Api, namespace: str, spec: Object, name: str = "try", **params: str) -> Object:
    """Apply as kubectl does; raises Refused."""
    body = {
        "apiVersion": "texttoimage.dev/v1alpha1",
        "kind": "TextToImageService",
        "metadata": {"name": name},
        "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}], **spec},
    }
    return api.apply(api.path(PLURAL, namespace, name), body, fieldValidation="Strict", **params)


def label(case: Object) -> str:
    return f"{case['at'] or 'resource'}: {case['says']}"


each_rule = pytest.mark.parametrize("case", CASES, ids=label)


def test_every_rule_has_a_case() -> None:
    assert {rule for case in CASES for rule in matching(case)} == set(RULES)


@pytest.fixture
def apply(case: Object, api: Api, shared_namespace: str) -> Iterator[Callable[[Object, str], Object]]:
    """Apply by dry-run, over the resource that the case wants to be there before."""
    if "before" in case:
        applied(api, shared_namespace, case["before"])
    yield lambda spec, name: applied(api, shared_namespace, spec, name, dryRun="All")
    if "before" in case:
        api.delete(PLURAL, shared_namespace, "try")


@each_rule
def test_passes(case: Object, apply: Callable[[Object, str], Object]) -> None:
    name = case.get("names", ["try"])[0]

    assert apply(case["passes"], name)["metadata"]["name"] == name


@each_rule
def test_refused_with_its_sentence(case: Object, apply: Callable[[Object, str], Object]) -> None:
    [rule] = matching(case)

    with pytest.raises(Refused) as refusal:
        apply(case["refused"], case.get("names", ["try"])[-1])

    said = refusal.value.message
    assert rule.message in said
    assert said.count("Invalid value") == 1, "other rules refuse it as well"
    assert rule.at.replace("[]", "[0]") in said


def test_a_volume_that_went_with_its_jaeger_holds_nothing_up(api: Api, shared_namespace: str) -> None:
    def apply(mode: str, size: str, storage_class: str) -> Object:
        badger = {"size": size, "storageClassName": storage_class}
        tracing = {"mode": mode, "jaeger": {"storage": {"type": "Badger", "badger": badger}}}
        return applied(api, shared_namespace, {"monitoring": {"tracing": tracing}}, "gone")

    apply("Managed", "20Gi", "fast")
    apply("Disabled", "20Gi", "fast")
    badger = apply("Managed", "10Gi", "slow")["spec"]["monitoring"]["tracing"]["jaeger"]["storage"]["badger"]
    assert (badger["size"], badger["storageClassName"]) == ("10Gi", "slow")
