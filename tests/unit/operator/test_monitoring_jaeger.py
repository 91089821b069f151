"""Jaeger as the spec wants it: what is sampled when, where traces are kept, and that no secret is written down."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from t2i_operator.builders.monitoring.desired import monitoring_objects
from t2i_operator.builders.monitoring.jaeger.configuration import configuration
from t2i_operator.builders.strategic import InvalidPatchError

from tests.unit.operator.resources import WITH_JAEGER, resource

MODELS = [
    {"name": "fast", "provider": "Sandbox", "timeoutSeconds": 30},
    {"name": "slow", "provider": "Sandbox", "timeoutSeconds": 300},
]
SEARCH = {
    "serverURLs": ["https://search:9200"],
    "credentialsSecretRef": {"name": "search"},
    "indexPrefix": "images",
    "tls": {"ca": {"configMapKeyRef": {"name": "authorities", "key": "ours.pem"}}},
}


def jaeger(*, volume_size: str = "", **wanted: Any) -> dict[str, Any]:
    """Return Jaeger's objects by kind and name."""
    monitoring = {"tracing": {"jaeger": wanted}, "dashboards": {"mode": "Disabled"}, "alerts": {"mode": "Disabled"}}
    observed = msgspec.structs.replace(WITH_JAEGER, volume_size=volume_size)
    built = monitoring_objects(resource(models=MODELS, monitoring=monitoring), observed)
    return {f"{each['kind']} {each['metadata']['name']}": each for each in built}


def read(**wanted: Any) -> dict[str, Any]:
    text = jaeger(**wanted)["ConfigMap pictures-jaeger-config"]["data"]["config.json"]
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def pod(**wanted: Any) -> dict[str, Any]:
    template: dict[str, Any] = jaeger(**wanted)["Deployment pictures-jaeger"]["spec"]["template"]
    return template


@pytest.mark.parametrize("mode", ["Enabled", "Disabled"])
def test_spans_become_metrics_before_any_sampling(mode: str) -> None:
    pipelines = read(tailSampling={"mode": mode})["service"]["pipelines"]
    before = next(each for each in pipelines.values() if "spanmetrics" in each["exporters"])
    assert "otlp" in before["receivers"]
    assert "tail_sampling" not in before["processors"]


def test_a_trace_is_judged_after_the_longest_request() -> None:
    sampling = read(tailSampling={"mode": "Enabled", "ratio": "0.25", "slowerThan": "2s500ms"})["processors"]
    assert sampling["tail_sampling"]["decision_wait"] == "310s"
    policies = {each["name"]: each for each in sampling["tail_sampling"]["policies"]}
    assert policies["slow"]["latency"]["threshold_ms"] == 2500
    assert policies["ordinary"]["probabilistic"]["sampling_percentage"] == 25
    assert policies["errors"]["status_code"]["status_codes"] == ["ERROR"]


@pytest.mark.parametrize("asked", ["${file:/etc/passwd}", "$${env:STORAGE_PASSWORD}"])
def test_an_address_is_no_variable_and_no_file(asked: str) -> None:
    """As the collector reads it: an even number of `$` before a brace is that many half, and nothing is put in."""
    search = {"type": "OpenSearch", "openSearch": SEARCH | {"serverURLs": [f"https://search:9200/{asked}"]}}
    [written] = read(storage=search)["extensions"]["jaeger_storage"]["backends"]["traces"]["opensearch"]["server_urls"]
    dollars = re.search(r"(\$+)\{", written)
    assert dollars is not None
    assert len(dollars[1]) % 2 == 0
    assert written.replace("$$", "$").endswith(asked)


def test_span_metrics_reach_as_far_as_generations_do() -> None:
    span_metrics = read()["connectors"]["spanmetrics"]
    assert span_metrics["histogram"]["explicit"]["buckets"][-1] == "120s"
    assert span_metrics["exemplars"]["enabled"]


def test_many_models_have_room_among_the_label_sets() -> None:
    """Or their errors would be counted as one."""
    well, errors, other_spans = 1, 14, 60
    for count in (1, 32):
        models = [{"name": f"m{number}", "provider": "Sandbox"} for number in range(count)]
        limit = configuration(resource(models=models))["connectors"]["spanmetrics"]["aggregation_cardinality_limit"]
        assert limit >= count * (well + errors) + other_spans


def sizes(**wanted: Any) -> tuple[int | None, int | None, str | None]:
    """Return how many traces are kept, how many wait for a decision, and the runtime's own limit."""
    config = read(**wanted)
    kept = config["extensions"]["jaeger_storage"]["backends"]["traces"].get("memory", {}).get("max_traces")
    variables = {each["name"]: each.get("value") for each in pod(**wanted)["spec"]["containers"][0]["env"]}
    return kept, config["processors"].get("tail_sampling", {}).get("num_traces"), variables.get("GOMEMLIMIT")


def limited(memory: str | int) -> dict[str, Any]:
    return {"limits": {"memory": memory}}


SAMPLED = {"mode": "Enabled"}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, (25600, None, "435MiB")),
        ({"resources": limited("1Gi")}, (50000, None, "870MiB")),
        ({"resources": limited("1G")}, (47650, None, "810MiB")),
        ({"resources": limited(2**28)}, (12800, None, "217MiB")),
        ({"storage": {"memory": {"maxTraces": 51200}}}, (51200, None, "435MiB")),
        ({"storage": {"memory": {"maxTraces": 200000}}, "resources": limited("2Gi")}, (200000, None, "1740MiB")),
        ({"resources": {"requests": {"memory": "64Mi"}}}, (50000, None, None)),
        ({"resources": limited("1Mi")}, (50, None, None)),
        ({"resources": {"requests": {"memory": "64Mi"}}, "tailSampling": SAMPLED}, (50000, 50000, None)),
        ({"tailSampling": SAMPLED}, (25600, 25600, "435MiB")),
        ({"tailSampling": SAMPLED, "storage": {"type": "Badger"}}, (None, 51200, "435MiB")),
    ],
)
def test_no_more_traces_than_its_memory_has_room_for(wanted: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert sizes(**wanted) == expected


def test_what_was_asked_for_before_the_crd_refused_it_fills_no_memory() -> None:
    wanted = {"storage": {"memory": {"maxTraces": 10_000_000}}}
    assert sizes(**wanted)[0] == 51200
    assert sizes(**wanted, tailSampling=SAMPLED)[0] == 25600


def test_spans_are_refused_before_the_runtime_collects_without_end() -> None:
    limiter, runtime = read()["processors"]["memory_limiter"], int((sizes()[2] or "").removesuffix("MiB"))
    refused_above = 512 * (limiter["limit_percentage"] - limiter["spike_limit_percentage"]) / 100
    assert refused_above + 40 < runtime, "what is not heap, and garbage between two looks, has no room"
    assert runtime + 64 < 512, "the program's own pages have no room"


def test_a_volume_only_where_badger_keeps_traces() -> None:
    kept = {"type": "Badger", "badger": {"size": "5Gi", "storageClassName": "fast", "retention": "24h"}}
    claim = jaeger(storage=kept)["PersistentVolumeClaim pictures-jaeger"]["spec"]
    assert (claim["resources"]["requests"]["storage"], claim["storageClassName"]) == ("5Gi", "fast")
    assert read(storage=kept)["extensions"]["jaeger_storage"]["backends"]["traces"]["badger"]["ttl"] == {"spans": "24h"}
    assert "PersistentVolumeClaim pictures-jaeger" not in jaeger()


@pytest.mark.parametrize(
    ("live", "wanted", "asked"),
    [("20Gi", "10Gi", "20Gi"), ("10Gi", "20Gi", "20Gi"), ("10240Mi", "10Gi", "10Gi"), ("", 5, "5"), ("2Ki", 5, "2Ki")],
)
def test_a_volume_that_somebody_let_grow_stays_as_large(live: str, wanted: str | int, asked: str) -> None:
    """The API server refuses a claim for less, and everything else that is applied with it."""
    built = jaeger(volume_size=live, storage={"type": "Badger", "badger": {"size": wanted}})
    assert built["PersistentVolumeClaim pictures-jaeger"]["spec"]["resources"]["requests"]["storage"] == asked


@pytest.mark.parametrize(("kind", "block"), [("Elasticsearch", "elasticsearch"), ("OpenSearch", "openSearch")])
def test_credentials_of_a_search_cluster_stay_in_their_secret(kind: str, block: str) -> None:
    storage = {"type": kind, block: SEARCH}
    backend = read(storage=storage)["extensions"]["jaeger_storage"]["backends"]["traces"][kind.lower()]
    assert backend["auth"]["basic"] == {"username": "${env:STORAGE_USERNAME}", "password": "${env:STORAGE_PASSWORD}"}
    container = pod(storage=storage)["spec"]["containers"][0]
    secrets = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if each["name"] != "GOMEMLIMIT"]
    assert secrets == ["search", "search"]
    paths = [each["mountPath"] for each in container["volumeMounts"]]
    assert any(backend["tls"]["ca_file"].startswith(f"{path}/") for path in paths)


def test_a_changed_configuration_makes_a_new_pod() -> None:
    assert (
        pod()["metadata"]["annotations"]
        != pod(storage={"type": "Memory", "memory": {"maxTraces": 1}})["metadata"]["annotations"]
    )


def test_its_pods_are_not_watched_as_the_service_s() -> None:
    """A Jaeger that cannot start must not be told as the service's rollout being stuck."""
    assert "app.kubernetes.io/managed-by" not in pod()["metadata"]["labels"]


def test_what_a_user_wants_otherwise_in_its_pod_is_merged_over_it() -> None:
    plain, labels = pod(), {"team": "images", "app.kubernetes.io/component": "other"}
    changed = {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "jaeger", "workingDir": "/tmp"}]}
    found = pod(podTemplate={"metadata": {"labels": labels}, "spec": changed})
    assert found["metadata"]["labels"] == {**plain["metadata"]["labels"], "team": "images"}
    (container,) = plain["spec"].pop("containers")
    assert found["spec"] == {**plain["spec"], **changed, "containers": [container | changed["containers"][0]]}


def test_a_template_that_cannot_be_merged_is_named_by_its_field() -> None:
    with pytest.raises(InvalidPatchError, match=r"^spec\.monitoring\.tracing\.jaeger\.podTemplate: spec\.containers: "):
        pod(podTemplate={"spec": {"containers": [{"image": "x"}]}})


def test_the_opentelemetry_operator_gets_the_same_configuration() -> None:
    built = jaeger(format="OpenTelemetryCollector")
    collector = built["OpenTelemetryCollector pictures-jaeger"]
    assert collector["spec"]["config"] == configuration(resource(models=MODELS, monitoring={}))
    assert "Deployment pictures-jaeger" not in built
    assert "Service pictures-jaeger-collector" not in built


def test_the_service_sends_its_spans_to_it() -> None:
    selector = jaeger()["Service pictures-jaeger-collector"]["spec"]["selector"]
    assert selector.items() <= pod()["metadata"]["labels"].items()
