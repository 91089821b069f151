"""How values are spelled, tried at every field they stand at, in front of the real API server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.api import Api, Object, Refused
from tests.cluster.crd_schema import reaching, rules

pytestmark = pytest.mark.usefixtures("crd")
RULES = [rule for rule in rules() if rule.scalar]
SPELLINGS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("crd_spellings.yaml").read_text())
EXAMPLES = {
    rule.message: spelling["passes"][0]
    for spelling in SPELLINGS
    for rule in RULES
    if rule.message.startswith(spelling["says"])
}


class Try(NamedTuple):
    """One value at one field."""

    at: str
    value: object


def tries(spelling: dict[str, Any], outcome: str) -> list[Try]:
    fields = [rule.at for rule in RULES if rule.message.startswith(spelling["says"])]
    return [Try(at, value) for at in fields for value in spelling[outcome]]


@pytest.fixture
def complaint(api: Api, shared_namespace: str) -> Callable[[Try], str]:
    """Apply a resource with a try by dry-run; what the API server said of it."""

    def run(wanted: Try) -> str:
        path = api.path("texttoimageservices", shared_namespace, "try")
        try:
            api.apply(path, resource(wanted), fieldValidation="Strict", dryRun="All")
        except Refused as refusal:
            return refusal.message
        return ""

    return run


def resource(wanted: Try) -> Object:
    body = reaching(wanted.at, wanted.value, EXAMPLES)
    meta = {"apiVersion": "texttoimage.dev/v1alpha1", "kind": "TextToImageService"}
    return {**meta, "metadata": {"name": "try"}, "spec": body["spec"]}


def complains(wanted: Try, message: str, said: str) -> bool:
    where = wanted.at.replace("[]", "[0]").replace("{}", "[key]")
    value = f'"{wanted.value}"' if isinstance(wanted.value, str) else wanted.value
    return f"{where}: Invalid value: {value}: {message}" in said


def test_every_sentence_is_tried() -> None:
    assert {rule.message for rule in RULES} == EXAMPLES.keys()


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling["says"])
def test_spelling(spelling: dict[str, Any], complaint: Callable[[Try], str]) -> None:
    [message] = {rule.message for rule in RULES if rule.message.startswith(spelling["says"])}
    right, wrong = tries(spelling, "passes"), tries(spelling, "refused")

    said = {each: complaint(each) for each in right + wrong}

    assert [each for each in right if complains(each, message, said[each])] == []
    assert [each for each in wrong if not complains(each, message, said[each])] == []
