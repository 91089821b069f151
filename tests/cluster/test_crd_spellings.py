"""How values are spelled, tried at every field they stand at, in front of the real API server."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.cluster.crd_schema import reaching, rules
from tests.kubectl import KubectlError

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


@pytest.fixture(scope="module")
def shared_namespace(kubectl: Callable[..., str], crd: str) -> Iterator[str]:
    name = f"crd-spellings-{uuid.uuid4().hex[:6]}"
    kubectl("create", "namespace", name)
    yield name
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def complaints(kubectl: Callable[..., str], shared_namespace: str) -> Callable[[list[Try]], list[str]]:
    """Apply a resource for each try by one dry-run; what the API server said of each, in their order."""

    def run(wanted: list[Try]) -> list[str]:
        items = [resource(number, each) for number, each in enumerate(wanted)]
        argv = ("apply", "--server-side", "--dry-run=server", f"--namespace={shared_namespace}", "--filename=-")
        try:
            kubectl(*argv, input=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        except KubectlError as refusal:
            said = dict(re.findall(r'"(try-\d+)" is invalid: (.*)', str(refusal)))
            return [said.get(f"try-{number}", "") for number in range(len(wanted))]
        return [""] * len(wanted)

    return run


def resource(number: int, wanted: Try) -> dict[str, Any]:
    body = reaching(wanted.at, wanted.value, EXAMPLES)
    meta = {"apiVersion": "texttoimage.dev/v1alpha1", "kind": "TextToImageService"}
    return {**meta, "metadata": {"name": f"try-{number}"}, "spec": body["spec"]}


def complains(wanted: Try, message: str, said: str) -> bool:
    where = wanted.at.replace("[]", "[0]").replace("{}", "[key]")
    return f'{where}: Invalid value: "{wanted.value}": {message}' in said


def test_every_sentence_is_tried() -> None:
    assert {rule.message for rule in RULES} == EXAMPLES.keys()


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda spelling: spelling["says"])
def test_spelling(spelling: dict[str, Any], complaints: Callable[[list[Try]], list[str]]) -> None:
    [message] = {rule.message for rule in RULES if rule.message.startswith(spelling["says"])}
    right, wrong = tries(spelling, "passes"), tries(spelling, "refused")

    said = dict(zip(right + wrong, complaints(right + wrong), strict=True))

    assert [each for each in right if complains(each, message, said[each])] == []
    assert [each for each in wrong if not complains(each, message, said[each])] == []
