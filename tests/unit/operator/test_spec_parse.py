"""What `spec.parse` gives back: a whole tree, the user's own spelling, or a sentence for every wrong field."""

import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from t2i_operator import spec

SAMPLES = sorted(Path(__file__).parents[3].glob("manifests/samples/*.yaml"))
MINIMAL: dict[str, Any] = {
    "metadata": {"name": "try", "namespace": "here", "uid": "1", "generation": 3},
    "spec": {"models": [{"name": "sdxl", "provider": "Sandbox"}]},
}


def body(**given: Any) -> dict[str, Any]:
    return {**MINIMAL, "spec": {**copy.deepcopy(MINIMAL["spec"]), **given}}


def problems(wrong: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(spec.InvalidSpec) as refusal:
        spec.parse(wrong)
    return refusal.value.problems


def test_the_smallest_resource_is_filled_with_defaults() -> None:
    resource = spec.parse(MINIMAL)

    assert (resource.metadata.name, resource.metadata.generation) == ("try", 3)
    assert resource.spec.replicas is None
    assert resource.spec.monitoring.tracing.mode == "Managed"
    assert resource.spec.monitoring.alerts.thresholds.for_ == "2m"
    assert resource.spec.network_policy.mode == "Disabled"


@pytest.mark.parametrize("block", ["autoscaling", "credentials", "ingress", "http_route"])
def test_what_is_switched_on_by_being_there_is_absent(block: str) -> None:
    assert getattr(spec.parse(MINIMAL).spec, block) is None


def test_list_items_get_no_defaults() -> None:
    assert spec.to_wire(spec.parse(MINIMAL).spec.models[0]) == {"name": "sdxl", "provider": "Sandbox"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_models_go_back_to_the_wire_as_they_were_written(sample: Path) -> None:
    written = yaml.safe_load(sample.read_text())

    models = spec.parse(written).spec.models

    assert [spec.to_wire(model) for model in models] == written["spec"]["models"]


def test_unknown_fields_are_left_aside() -> None:
    assert spec.parse(body(colour="blue")) == spec.parse(MINIMAL)


def test_the_pod_template_is_kept_as_it_is() -> None:
    pod = {"containers": [{"name": "text-to-image", "$patch": "delete"}], "tolerations": None}

    assert spec.to_wire(spec.parse(body(podTemplate={"spec": pod})).spec.pod_template)["spec"] == pod


def test_every_wrong_field_is_named() -> None:
    wrong = body(
        replicas="3",
        models=[{"name": "sdxl", "provider": "Sandbox"}, {"provider": "Painter", "sandbox": {"failureRate": 0.1}}],
        logging={"level": "info"},
        monitoring={"alerts": {"thresholds": {"for": "two minutes"}}},
    )

    found = problems(wrong)

    assert [problem.split(":")[0] for problem in found] == [
        "spec.replicas",
        "spec.models[1].name",
        "spec.models[1].provider",
        "spec.models[1].sandbox.failureRate",
        "spec.logging.level",
        "spec.monitoring.alerts.thresholds.for",
    ]


def test_the_error_says_all_problems_in_one_line() -> None:
    with pytest.raises(spec.InvalidSpec) as refusal:
        spec.parse(body(replicas=-1, paused="yes"))

    assert str(refusal.value) == "spec.paused: Expected `bool`, got `str`; spec.replicas: Expected `int` >= 0"


def test_too_many_items_are_said_of_the_list() -> None:
    [problem] = problems(body(models=[]))

    assert problem.startswith("spec.models: Expected `array` of length >= 1")


@pytest.mark.parametrize("nothing", [{}, {"metadata": MINIMAL["metadata"]}, {"spec": None, "metadata": None}])
def test_a_resource_without_its_parts_is_refused_in_words(nothing: dict[str, Any]) -> None:
    assert any("spec" in problem for problem in problems(nothing))


def test_the_tree_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        spec.parse(MINIMAL).spec.replicas = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("duration", "seconds"), [("30s", "30"), ("1m30s", "90"), ("2s500ms", "2.5"), ("1h", "3600"), ("0s", "0")]
)
def test_durations_are_read_exactly(duration: str, seconds: str) -> None:
    assert spec.seconds(duration) == Decimal(seconds)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.stem)
def test_what_goes_back_to_the_wire_is_read_as_the_same(sample: Path) -> None:
    resource = spec.parse(yaml.safe_load(sample.read_text()))
    metadata = {"name": resource.metadata.name, "namespace": resource.metadata.namespace}

    assert spec.parse({"metadata": metadata, "spec": spec.to_wire(resource.spec)}) == resource


def _scaled(**target: Any) -> dict[str, Any]:
    resource = {"name": "cpu", "target": {"type": "AverageValue", **target}}
    return {"autoscaling": {"maxReplicas": 2, "metrics": [{"type": "Resource", "resource": resource}]}}


EARLIER: list[dict[str, Any]] = [
    {"podDisruptionBudget": {"minAvailable": -1}},
    {"podDisruptionBudget": {"maxUnavailable": "999%"}},
    _scaled(averageValue=0),
    _scaled(averageValue="0"),
    {"monitoring": {"tracing": {"jaeger": {"resources": {"limits": {"cpu": -1}}}}}},
    {"networkPolicy": {"ingressFrom": [{"ipBlock": {"cidr": "999.0.0.0/99"}}]}},
    {"httpRoute": {"parentRefs": [{"name": "public"}], "path": "//a#b"}},
    {"ingress": {"host": "a.example.com", "path": "//"}},
]


@pytest.mark.parametrize("given", EARLIER, ids=[f"{number}-{next(iter(each))}" for number, each in enumerate(EARLIER)])
def test_what_the_crd_took_once_locks_nobody_out(given: dict[str, Any]) -> None:
    """The one object that is made of it is refused, and its condition says so; all else goes on."""
    assert spec.to_wire(spec.parse(body(**given)).spec).items() >= given.items()
