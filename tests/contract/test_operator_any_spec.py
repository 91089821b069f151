"""Whatever the spec, of those that the suite on the API server draws from: it can be built, the same each time."""

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, seed, settings
from t2i_operator import builders, spec
from t2i_operator.known import catalogue, drift
from t2i_operator.known.identity import identify

from tests.cluster.crd_schema import ROOT, Schema
from tests.cluster.specs import SPECS
from tests.unit.operator.resources import OBSERVED

# What is not drawn, with all that is below it.
UNDRAWN = {
    "autoscaling.metrics.containerResource": "one kind of metric is as the other",
    "autoscaling.metrics.external": "one kind of metric is as the other",
    "autoscaling.metrics.object": "one kind of metric is as the other",
    "autoscaling.metrics.pods.metric.selector": "passed on as it is",
    "autoscaling.metrics.pods.target": "a target has one of three values",
    "autoscaling.metrics.resource.target": "a target has one of three values",
    "className": "each operator's own",
    "httpRoute.parentRefs": "a Gateway that exists is needed",
    "monitoring.dashboards.instanceSelector.matchExpressions": "a selector is as another",
    "networkPolicy.egressTo.namespaceSelector.matchExpressions": "a selector is as another",
    "networkPolicy.egressTo.podSelector.matchExpressions": "a selector is as another",
    "networkPolicy.ingressFrom.namespaceSelector.matchExpressions": "a selector is as another",
    "networkPolicy.ingressFrom.podSelector": "a selector is as another",
    "paused": "of edits only: nothing is built",
    "service.loadBalancerClass": "for good while the type stays, which edits do not know",
}
drawn = settings(
    max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
Object = dict[str, Any]


def body(wanted: Object) -> Object:
    metadata = {"name": "pictures", "namespace": "studio", "uid": "u", "generation": 1}
    return {"metadata": metadata, "spec": wanted}


def paths(schema: Schema, value: Any, at: str = "") -> Iterator[str]:
    """Name each field of a value by its path; one that the schema does not know is an error."""
    if "items" in schema:
        for each in value:
            yield from paths(schema["items"], each, at)
    elif "properties" in schema:
        for name, child in value.items():
            path = f"{at}.{name}".lstrip(".")
            yield path
            yield from paths(schema["properties"][name], child, path)


def fields(schema: Schema, at: str = "") -> set[str]:
    """Name each field that there is."""
    if "items" in schema:
        return fields(schema["items"], at)
    found = {f"{at}.{name}".lstrip("."): child for name, child in schema.get("properties", {}).items()}
    return set(found).union(*(fields(child, path) for path, child in found.items()))


def test_every_field_is_drawn_but_for_those_that_are_listed() -> None:
    """In as many rounds as it takes: what is drawn depends on the numbers and words in all modules that are loaded."""
    every = fields(ROOT["properties"]["spec"])
    missing = {path for path in every if not any(f"{path}.".startswith(f"{each}.") for each in UNDRAWN)}

    for number in range(30):

        @seed(number)
        @drawn
        @given(wanted=SPECS)
        def draw(wanted: Object) -> None:
            missing.difference_update(paths(ROOT["properties"]["spec"], wanted))

        draw()
        if not missing:
            break
    assert sorted(missing) == []


@drawn
@given(wanted=SPECS)
def test_any_valid_spec_is_built_the_same_each_time(wanted: Object) -> None:
    before = copy.deepcopy(wanted)
    built = [builders.desired(spec.parse(body(wanted)), OBSERVED) for _ in range(2)]

    assert built[0] == built[1]
    assert wanted == before
    identities = [identify(each) for each in built[0]]
    assert len(identities) == len(set(identities))
    for each, identity in zip(built[0], identities, strict=True):
        assert catalogue.lists(identity.kind, identity.name, "pictures")
        assert drift.expected(each) == drift.expected(msgspec.json.decode(msgspec.json.encode(each)))
