"""What `t2i-operator diff` says of objects that are owned and not wanted: what the operator would do with each."""

from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
import yaml
from t2i_operator import builders
from t2i_operator.known.identity import Id, identify
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.connection import connect
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    AUTOSCALER,
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    GRAFANA_DASHBOARD,
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    OPENTELEMETRY_COLLECTOR,
    PROMETHEUS_RULE,
    RESOURCE,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    SERVICE_MONITOR,
    Kind,
    Object,
)
from t2i_operator.naming import ADOPT_ANNOTATION, OWNER_UID_ANNOTATION
from t2i_operator.preview.preview import Preview
from t2i_operator.preview.source import Source
from t2i_operator.settings import read

from tests.unit.operator.harness import DEPLOYED, JAEGER, KEY, ROUTED, SERVES, Shown
from tests.unit.operator.resources import OBSERVED, UNOBSERVED, resource

COMPOSED, DASHBOARD = (
    Id(SECRET, KEY.namespace, "pictures-secrets"),
    Id(CONFIG_MAP, KEY.namespace, "pictures-dashboard-overview"),
)
INWARDS, ROUTE, POLICY = (Id(kind, *KEY) for kind in (INGRESS, HTTP_ROUTE, NETWORK_POLICY))
COPIES = [Id(kind, KEY.namespace, "pictures-copy") for kind in (SERVICE_ACCOUNT, SECRET, CONFIG_MAP)]
OWNER = {"kind": "TextToImageService", "name": KEY.name, "uid": "0f0f", "controller": True}
GRAFANA: Object = {"monitoring": {**UNOBSERVED, "dashboards": {"format": "GrafanaDashboard"}}}
IN_PLACE: Object = {"credentials": {"secretRef": {"name": COMPOSED.name}}}


def in_order(*owned: Id, **wanted: Any) -> Shown:
    """Return a cluster where all that is wanted is as it should be, and these objects are the resource's too."""
    cluster = Shown()
    for body in builders.desired(resource(**wanted), OBSERVED):
        if body["kind"] != GRAFANA_DASHBOARD.name:
            cluster.store(identify(body), {**body, "status": SERVES} if body["kind"] == DEPLOYMENT.name else body)
    for identity in owned:
        metadata = {"name": identity.name, "namespace": identity.namespace, "ownerReferences": [OWNER]}
        head = {"apiVersion": identity.kind.api_version, "kind": identity.kind.name}
        cluster.store(identity, {**head, "metadata": metadata, "spec": {}, "data": {"key": "c2VjcmV0"}})
    return cluster


async def diff(cluster: Shown, **wanted: Any) -> int:
    return await Preview(cluster, read(["--service-image=service:1"], {})).diff(resource(**wanted))


@pytest.mark.parametrize(
    ("owned", "wanted", "status", "said"),
    [
        *((copy, {}, 0, "") for copy in COPIES),
        (INWARDS, ROUTED, 0, f"# {INWARDS} would stay until RouteReady is True\n"),
        (ROUTE, {"ingress": {"host": "a.example.com"}}, 0, f"# {ROUTE} would stay until RouteReady is True\n"),
        (COMPOSED, IN_PLACE, 1, f"# {COMPOSED} would be released: the spec refers to it, and its data stays\n"),
    ],
    ids=[
        *(f"a copy of a {copy.kind.name}" for copy in COPIES),
        "an Ingress before its HTTPRoute",
        "and the other way",
        "a Secret in use",
    ],
)
async def test_what_would_not_be_deleted_is_not_shown_as_deleted(
    capsys: pytest.CaptureFixture[str], owned: Id, wanted: Any, status: int, said: str
) -> None:
    assert await diff(in_order(owned, **wanted), **wanted) == status
    assert capsys.readouterr().out == said


async def test_dashboards_stay_until_their_successors_kind_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    assert await diff(in_order(DASHBOARD, **GRAFANA), **GRAFANA) == 0
    *absent, last = capsys.readouterr().out.splitlines()
    assert last == f"# {DASHBOARD} would stay until the cluster serves the kind of what is to follow it"
    assert absent
    assert all(line.endswith("the cluster does not serve its kind") for line in absent)


async def test_dashboards_stay_until_a_grafana_has_their_successors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = in_order(DASHBOARD, **GRAFANA)

    async def served(_: Kind, body: Object, **_options: Any) -> Object:
        return cluster.live.get(identify(body), body)

    monkeypatch.setattr(cluster, "apply", served)
    assert await diff(cluster, **GRAFANA) == 1, "the GrafanaDashboards are new"
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"# {DASHBOARD} would stay until a Grafana has")


@pytest.mark.parametrize(
    ("owned", "wanted"),
    [(POLICY, {}), (INWARDS, {}), (COMPOSED, {}), (DASHBOARD, {})],
    ids=lambda value: value.kind.name if isinstance(value, Id) else "",
)
async def test_what_would_be_deleted_is(capsys: pytest.CaptureFixture[str], owned: Id, wanted: Any) -> None:
    assert await diff(in_order(owned, **wanted), **wanted) == 1
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == f"--- live/{owned.kind.plural}/{owned.namespace}/{owned.name}"
    assert not [line for line in lines if line[0] in "# "]


async def test_a_secret_is_deleted_only_once_no_pod_of_the_old_template_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster = in_order(COMPOSED)
    cluster.live[Id(DEPLOYMENT, *KEY)]["status"] = {**SERVES, "updatedReplicas": 0}
    assert await diff(cluster) == 1
    assert capsys.readouterr().out == f"# {COMPOSED} would be deleted once no pod of the old template is left\n"


async def test_an_object_that_has_lost_its_owner_is_still_the_resource_s(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order(POLICY)
    metadata = cluster.live[POLICY]["metadata"]
    metadata |= {"ownerReferences": [], "annotations": {OWNER_UID_ANNOTATION: "0f0f"}}
    metadata["labels"] = {"app.kubernetes.io/instance": KEY.name}
    assert await diff(cluster) == 1
    assert capsys.readouterr().out.startswith("--- live/networkpolicies/")


async def test_an_ingress_goes_once_its_httproute_works(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order(INWARDS, **ROUTED)
    programmed = [{"type": "Programmed", "status": "True"}]
    cluster.live[Id(GATEWAY, KEY.namespace, "public")] = {
        "metadata": {"generation": 1},
        "status": {"conditions": programmed},
    }
    accepted = {"parentRef": {"name": "public"}, "conditions": [{"type": "Accepted", "status": "True"}]}
    cluster.live[ROUTE]["status"] = {"parents": [accepted]}
    assert await diff(cluster, **ROUTED) == 1
    assert capsys.readouterr().out.startswith("--- live/ingresses/")


async def test_what_is_being_deleted_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order(POLICY)
    cluster.live[POLICY]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert await diff(cluster) == 0
    assert capsys.readouterr().out == ""


async def test_a_pause_is_told_first(capsys: pytest.CaptureFixture[str]) -> None:
    assert await diff(in_order(POLICY), paused=True) == 1
    head, deleted, *_ = capsys.readouterr().out.splitlines()
    assert head == "# spec.paused is true: nothing of this is done"
    assert deleted == f"--- live/{POLICY.kind.plural}/{POLICY.namespace}/{POLICY.name}"


async def test_nothing_goes_while_somebody_else_has_a_name_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    cluster, theirs = in_order(POLICY), Id(DEPLOYMENT, *KEY)
    cluster.live[theirs]["metadata"]["ownerReferences"] = [{**OWNER, "name": "other", "uid": "theirs"}]
    assert await diff(cluster) == 0
    conflict, rest = capsys.readouterr().out.splitlines()
    assert conflict.startswith(f"# {theirs} ")
    assert rest == "# nothing is deleted until all that serves is in its place"


async def test_what_came_before_an_object_of_somebody_else_s_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Of monitoring it keeps nothing else."""
    ruled = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}
    earlier = Id(ALERTMANAGER_CONFIG, KEY.namespace, "pictures-alerts")
    cluster, theirs = in_order(POLICY, earlier, **ruled), Id(PROMETHEUS_RULE, KEY.namespace, "pictures-alerts")
    cluster.live[theirs]["metadata"]["ownerReferences"] = [{**OWNER, "name": "other", "uid": "theirs"}]
    assert await diff(cluster, **ruled) == 1
    said = capsys.readouterr().out
    assert f"--- live/{POLICY.kind.plural}/" in said
    assert f"# {earlier} would stay until what it belongs to is in place and can be looked at\n" in said
    assert f"--- live/{earlier.kind.plural}/" not in said


async def test_what_credentials_lack_is_said_though_the_rest_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster, keys = in_order(), Id(SECRET, KEY.namespace, "pictures-keys")
    cluster.refused[keys] = ApiError(403, "Forbidden", "secrets is forbidden")
    with pytest.raises(ApiError, match="secrets is forbidden"):
        await diff(cluster, credentials={"secretRef": {"name": "nowhere"}})
    assert capsys.readouterr().err.startswith("SecretMissing: ")


MONITORED: Object = {"monitoring": {**UNOBSERVED, "metrics": {"mode": "Managed"}}}
MONITOR = Id(SERVICE_MONITOR, KEY.namespace, "pictures-monitor")
FORBIDDEN = ApiError(403, "Forbidden", "User jane cannot patch resource servicemonitors")


def refuses(monkeypatch: pytest.MonkeyPatch, cluster: Shown, refused: Id, error: ApiError) -> None:
    """Have an object refused, and others be as they should."""

    async def apply(_: Kind, body: Object, **_options: Any) -> Object:
        if identify(body) == refused:
            raise error
        return cluster.live.get(identify(body), body)

    monkeypatch.setattr(cluster, "apply", apply)


async def test_a_kind_that_one_may_not_look_at_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order(POLICY, **MONITORED)
    cluster.refused[MONITOR] = FORBIDDEN
    assert await diff(cluster, **MONITORED) == 1
    said = capsys.readouterr().out
    assert f"# {MONITOR} cannot be looked at: {FORBIDDEN.message}\n" in said
    assert f"--- live/{POLICY.kind.plural}/" in said, "and goes on"


@pytest.mark.parametrize("denied", [MONITOR, DEPLOYED], ids=["what observes", "what serves"])
async def test_a_write_that_is_denied_is_a_difference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], denied: Id
) -> None:
    cluster = in_order(**MONITORED)
    refuses(monkeypatch, cluster, denied, ApiError(403, "Forbidden", 'admission webhook "x" denied the request'))
    assert await diff(cluster, **MONITORED) == 1
    assert capsys.readouterr().out == f'# {denied} would be refused: admission webhook "x" denied the request\n'


async def test_nothing_goes_while_what_serves_would_be_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = in_order(POLICY)
    refuses(monkeypatch, cluster, DEPLOYED, ApiError(403, "Forbidden", 'admission webhook "x" denied the request'))
    assert await diff(cluster) == 1
    assert capsys.readouterr().out.splitlines()[1:] == ["# nothing is deleted until all that serves is in its place"]


def theirs(cluster: Shown, identity: Id) -> None:
    cluster.live[identity]["metadata"]["ownerReferences"] = [{**OWNER, "name": "other", "uid": "theirs"}]


SERVING, AUTOSCALED = Id(SERVICE, KEY.namespace, "pictures-service"), {"autoscaling": {"maxReplicas": 3}}
SCALER = Id(AUTOSCALER, *KEY)
HOSTED: Object = {"ingress": {"host": "images.example.com"}}


@pytest.mark.parametrize(
    ("foreign", "left", "wanted"),
    [
        (Id(SERVICE_ACCOUNT, *KEY), DEPLOYED, {}),
        (Id(SECRET, KEY.namespace, "pictures-keys"), DEPLOYED, {}),
        (Id(CONFIG_MAP, KEY.namespace, "pictures-config"), DEPLOYED, {}),
        (DEPLOYED, SCALER, AUTOSCALED),
        (SERVING, INWARDS, HOSTED),
        (SERVING, ROUTE, ROUTED),
    ],
    ids=lambda value: value.kind.name if isinstance(value, Id) else "",
)
async def test_what_stands_on_somebody_else_s_object_would_not_be_made(
    capsys: pytest.CaptureFixture[str], foreign: Id, left: Id, wanted: Any
) -> None:
    cluster = in_order(**wanted)
    theirs(cluster, foreign)
    del cluster.live[left]
    assert await diff(cluster, **wanted) == 0
    conflict, rest = capsys.readouterr().out.splitlines()
    assert conflict.startswith(f"# {foreign} is controlled by")
    assert rest == f"# {left} would not be made: it needs {foreign}, which is not in its place"


async def test_what_stands_on_what_would_be_made_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order(**AUTOSCALED, **HOSTED)
    for identity in (DEPLOYED, SCALER, SERVING, INWARDS):
        del cluster.live[identity]
    assert await diff(cluster, **AUTOSCALED, **HOSTED) == 1
    made = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("+++", "# "))]
    assert [line.split("/")[1] for line in made] == ["services", "deployments", SCALER.kind.plural, INWARDS.kind.plural]


async def test_a_deployment_that_cannot_be_adopted_gets_its_steps(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = in_order()
    live = cluster.live[DEPLOYED]
    live["metadata"] |= {"ownerReferences": [], "annotations": {ADOPT_ANNOTATION: KEY.name}}
    live["spec"]["selector"] = {"matchLabels": {"app": "older"}}
    assert await diff(cluster) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"# {DEPLOYED} cannot be adopted as it is, because its selector (app=older) differs")
    assert f"kubectl -n {KEY.namespace} delete deployment {KEY.name} --cascade=orphan" in said


async def test_what_would_be_repaired_though_the_api_server_refuses_both_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `kubectl set env` does, which puts a value beside our valueFrom: the operator takes the value away first."""
    cluster = in_order()
    (ours,) = cluster.live[DEPLOYED]["metadata"]["managedFields"]
    del ours["fieldsV1"]["f:spec"]["f:strategy"]["f:type"]
    fields = {"f:spec": {"f:strategy": {"f:type": {}, "f:recreate": {}}}}
    cluster.live[DEPLOYED]["metadata"]["managedFields"] += [
        {"manager": "kubectl-set", "operation": "Update", "fieldsV1": fields}
    ]
    cluster.live[DEPLOYED]["spec"]["strategy"] = {"type": "Recreate", "recreate": {}}
    refuses(monkeypatch, cluster, DEPLOYED, ApiError(422, "Invalid", "spec.strategy: may not have both"))
    assert await diff(cluster) == 1
    assert f"# {DEPLOYED} would be repaired" in (said := capsys.readouterr().out)
    assert "spec.strategy.type (kubectl-set)" in said


async def test_what_is_handed_over_to_an_autoscaler_is_one_pod_at_least(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = in_order(replicas=0)
    monkeypatch.setattr(cluster, "apply", AsyncMock(side_effect=lambda _kind, body, **_options: body))
    await diff(cluster, **AUTOSCALED)
    assert {"-  replicas: 0", "+  replicas: 1"} <= {*capsys.readouterr().out.splitlines()}


async def test_a_file_without_a_namespace_is_of_the_context_s(tmp_path: Path) -> None:
    cluster, file = Shown(), tmp_path / "resource.yaml"
    spec = {"models": [{"name": "sdxl", "provider": "Sandbox"}]}
    file.write_text(yaml.safe_dump({"kind": RESOURCE.name, "metadata": {"name": KEY.name}, "spec": spec}))
    cluster.apply = AsyncMock(side_effect=lambda _kind, body, **_options: body)  # type: ignore[method-assign]
    source = Source(cluster, read(["--service-image=service:1"], {}), namespace=KEY.namespace)
    assert (await source.resource(None, str(file))).metadata.namespace == KEY.namespace
    assert cluster.read == [Id(RESOURCE, *KEY)]


async def test_the_kubeconfig_says_the_namespace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    context = {"cluster": "here", "user": "jane", "namespace": "studio"}
    config = {
        "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}],
        "users": [{"name": "jane", "user": {"token": "secret"}}],
        "contexts": [{"name": "it", "context": context}],
        "current-context": "it",
    }
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setattr("kubernetes.aio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    for said, namespace in ((context, "studio"), ({**context, "namespace": ""}, "default")):
        config["contexts"] = [{"name": "it", "context": said}]
        file.write_text(yaml.safe_dump(config))
        assert (await connect("me")).namespace == namespace


async def test_a_collector_goes_though_its_own_service_has_the_name_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    traced: Object = {"monitoring": {**UNOBSERVED, "tracing": {"mode": "Managed"}}}
    collector = JAEGER[OPENTELEMETRY_COLLECTOR]
    cluster, spans = in_order(collector, **traced), Id(SERVICE, KEY.namespace, "pictures-jaeger-collector")
    owner = {"kind": collector.kind.name, "name": collector.name, "uid": str(collector), "controller": True}
    cluster.live[spans]["metadata"]["ownerReferences"] = [owner]
    assert await diff(cluster, **traced) == 1
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == f"# {spans} is the OpenTelemetry operator's, and goes with {collector}"
    assert second.startswith(f"--- live/{collector.kind.plural}/")

    theirs(cluster, collector)
    assert await diff(cluster, **traced) == 0
    assert capsys.readouterr().out.startswith(f"# {spans} is controlled by {collector}; rename")

    del cluster.live[collector]
    cluster.unserved.add(collector.kind)
    assert await diff(cluster, **traced) == 0
    assert capsys.readouterr().out == f"# {spans} is controlled by {collector}; rename one of the two resources\n"
