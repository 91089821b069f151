"""What `t2i-operator diff` says of objects that are owned and not wanted: what the operator would do with each."""

from typing import Any

import pytest
from t2i_operator import builders
from t2i_operator.known.identity import Id, identify
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import (
    ALERTMANAGER_CONFIG,
    CONFIG_MAP,
    DEPLOYMENT,
    GATEWAY,
    GRAFANA_DASHBOARD,
    HTTP_ROUTE,
    INGRESS,
    NETWORK_POLICY,
    PROMETHEUS_RULE,
    SECRET,
    SERVICE_ACCOUNT,
    Kind,
    Object,
)
from t2i_operator.naming import OWNER_UID_ANNOTATION
from t2i_operator.preview import Preview
from t2i_operator.settings import read

from tests.unit.operator.harness import KEY, ROUTED, SERVES, Shown
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
    assert rest == "# nothing is deleted until the conflict is resolved"


async def test_what_came_before_an_object_of_somebody_else_s_stays(capsys: pytest.CaptureFixture[str]) -> None:
    """Of monitoring it keeps nothing else."""
    ruled = {"monitoring": {**UNOBSERVED, "alerts": {"mode": "Managed"}}}
    earlier = Id(ALERTMANAGER_CONFIG, KEY.namespace, "pictures-alerts")
    cluster, theirs = in_order(POLICY, earlier, **ruled), Id(PROMETHEUS_RULE, KEY.namespace, "pictures-alerts")
    cluster.live[theirs]["metadata"]["ownerReferences"] = [{**OWNER, "name": "other", "uid": "theirs"}]
    assert await diff(cluster, **ruled) == 1
    said = capsys.readouterr().out
    assert f"--- live/{POLICY.kind.plural}/" in said
    assert f"# {earlier} would stay until the conflict is resolved\n" in said
    assert f"--- live/{earlier.kind.plural}/" not in said


async def test_what_credentials_lack_is_said_though_the_rest_cannot_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster, keys = in_order(), Id(SECRET, KEY.namespace, "pictures-keys")
    cluster.refused[keys] = ApiError(403, "Forbidden", "secrets is forbidden")
    with pytest.raises(ApiError, match="secrets is forbidden"):
        await diff(cluster, credentials={"secretRef": {"name": "nowhere"}})
    assert capsys.readouterr().err.startswith("SecretMissing: ")
