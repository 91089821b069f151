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


KEY = {"secretKeyRef": {"name": "mail", "key": "password"}}
MAIL: dict[str, Any] = {"to": "team@example.com", "smarthost": "mail.example.com:587"}
TEMPLATE = '{{ query "up" }}'


@pytest.mark.parametrize("login", [{}, {"authUsername": "images"}, {"authPassword": KEY}], ids=["none", "name", "word"])
def test_no_mail_server_of_the_spec_is_shown_alertmanager_s_own_login(login: dict[str, Any]) -> None:
    [problem] = problems(body(monitoring={"alerts": {"receivers": [{"name": "mail", "email": MAIL | login}]}}))

    assert problem.startswith("spec.monitoring.alerts.receivers[mail]: email.smarthost needs authUsername")


def test_a_mail_server_with_its_login_is_taken_and_alertmanager_s_own_without() -> None:
    login = {"authUsername": "images", "authPassword": KEY}
    receivers = [{"name": "own", "email": MAIL | login}, {"name": "theirs", "email": {"to": "team@example.com"}}]

    assert len(spec.parse(body(monitoring={"alerts": {"receivers": receivers}})).spec.monitoring.alerts.receivers) == 2


@pytest.mark.parametrize(
    "written",
    [
        {"alerts": {"alertLabels": {"team": TEMPLATE}}},
        {"alerts": {"alertLabels": {"team": "a\n{{{"}}},
        {"alerts": {"runbookURL": f"https://wiki.example.com/{TEMPLATE.replace(' ', '')}"}},
        {"dashboards": {"grafanaURL": "https://grafana.example.com/{{template}}"}},
        {"dashboards": {"grafanaURL": "https://{{template}}/"}},
    ],
    ids=["label", "among lines", "runbook", "Grafana", "host"],
)
def test_nothing_of_the_spec_is_a_template_in_prometheus(written: dict[str, Any]) -> None:
    assert len(problems(body(monitoring=written))) == 1


@pytest.mark.parametrize("more", ["?a=b", "/?", "/#trace"], ids=["query", "empty", "fragment"])
def test_the_address_of_traces_is_one_that_a_path_can_follow(more: str) -> None:
    assert len(problems(body(monitoring={"dashboards": {"traceURL": f"https://jaeger.example.com{more}"}}))) == 1


@pytest.mark.parametrize("text", ["images", "{images}", "a{", "{a{b", "}}", "two\nlines"])
def test_text_with_braces_is_no_template(text: str) -> None:
    read = spec.parse(body(monitoring={"alerts": {"alertLabels": {"team": text}}}))

    assert read.spec.monitoring.alerts.alert_labels == {"team": text}


@pytest.mark.parametrize("field", ["relabelings", "metricRelabelings"])
@pytest.mark.parametrize(
    "step",
    [
        {"targetLabel": "__address__", "replacement": "10.0.0.1:443"},
        {"targetLabel": "__param_$1"},
        {"targetLabel": "$1"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_annotation_.*(__address__)"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_ip", "replacement": "__address__"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": "$1"},
    ],
    ids=["address", "parameter", "any", "map", "map to address", "map to any"],
)
def test_no_relabelling_chooses_what_is_scraped(step: dict[str, Any], field: str) -> None:
    [problem] = problems(body(monitoring={"metrics": {field: [step]}}))

    assert problem.startswith(f"spec.monitoring.metrics.{field}[0]")


@pytest.mark.parametrize(
    "step",
    [
        {"targetLabel": "__tmp_zone", "sourceLabels": ["__meta_kubernetes_pod_label_zone"]},
        {"targetLabel": "_zone"},
        {"action": "labelmap", "regex": "__meta_kubernetes_pod_label_(.+)", "replacement": "pod_label_$1"},
        {"action": "drop", "regex": "x"},
    ],
    ids=["for the time being", "plain", "mapped", "none"],
)
def test_other_labels_are_the_user_s_to_write(step: dict[str, Any]) -> None:
    read = spec.parse(body(monitoring={"metrics": {"relabelings": [step]}}))

    assert [spec.to_wire(each) for each in read.spec.monitoring.metrics.relabelings] == [step]


@pytest.mark.parametrize("folder", [".", "..", "/etc", "a/b", ".hidden"])
def test_a_folder_is_a_name_and_no_way(folder: str) -> None:
    [problem] = problems(body(monitoring={"dashboards": {"folder": folder}}))

    assert problem.startswith("spec.monitoring.dashboards.folder")
