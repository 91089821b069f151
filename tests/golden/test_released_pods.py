"""Whose pods the next release restarts, by a ledger of what the last one built.

The golden files are written anew with every change of what is built; the ledger is written anew by a release alone
(`pytest tests/golden --released`). Until then a template that differs from it restarts pods, and the changelog says so.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from t2i_operator.kube.kinds import Object
from t2i_operator.naming import COMPONENT_LABEL

from tests.golden.builds import HERE, INPUTS, build

LEDGER = HERE / "released-pods.txt"
# What changes in it restarts the pods.
TEMPLATES: dict[str, Callable[[Object], Object]] = {
    "Deployment": lambda spec: spec["template"],
    "OpenTelemetryCollector": lambda spec: spec,
}
SENTENCES = {"service": "restarts the service's pods", "jaeger": "restarts Jaeger's pod"}


class Line(NamedTuple):
    """What one golden input came to; the first four tell which pods are meant, the others are digests of them."""

    source: str
    input: str
    component: str
    kind: str
    identity: str
    template: str


def _built() -> list[Line]:
    return [_line(source, each) for source in INPUTS for each in build(source) if each["kind"] in TEMPLATES]


def _line(source: Path, built: Object) -> Line:
    kind, spec = built["kind"], built["spec"]
    return Line(
        source.name.removesuffix(".input.yaml"),
        _digest(source.read_text()),
        built["metadata"]["labels"][COMPONENT_LABEL],
        kind,
        _digest([built["metadata"]["name"], spec.get("selector")]),
        _digest(TEMPLATES[kind](spec)),
    )


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _released() -> list[Line]:
    return [Line(*line.split()) for line in LEDGER.read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def pairs(request: pytest.FixtureRequest) -> list[tuple[Line, Line]]:
    """Return what the last release made of each input beside what is made of it now; of a changed input, nothing."""
    built = _built()
    if request.config.getoption("--released", default=False):
        LEDGER.write_text("".join(" ".join(line) + "\n" for line in (Line._fields, *built)))
    now = {line[:4]: line for line in built}
    return [(line, now[line[:4]]) for line in _released() if line[:4] in now]


def test_whose_pods_the_next_release_restarts_is_in_the_changelog(
    pairs: list[tuple[Line, Line]], checkout: Path
) -> None:
    unreleased = (checkout / "CHANGELOG.md").read_text().split("\n## ")[1]
    told = " ".join(unreleased.split()).lower()
    restarted = {now.component for then, now in pairs if then.template != now.template}
    untold = [SENTENCES[each] for each in sorted(restarted) if SENTENCES[each].lower() not in told]
    assert not untold, (
        f"the template of these pods changed: say in CHANGELOG.md that the release {' and '.join(untold)}"
    )


def test_a_release_finds_the_deployments_of_the_last_one(pairs: list[tuple[Line, Line]]) -> None:
    """Under another name there would be a second one, and a selector can never change: each would have to go first."""
    assert [now for then, now in pairs if then.identity != now.identity] == []


def test_the_ledger_speaks_of_what_is_built(pairs: list[tuple[Line, Line]]) -> None:
    """An input that changed is compared no more; not all of them may, until a release writes the ledger anew."""
    compared = {(then.component, then.kind) for then, _ in pairs}
    assert compared == {("service", "Deployment"), ("jaeger", "Deployment"), ("jaeger", "OpenTelemetryCollector")}
