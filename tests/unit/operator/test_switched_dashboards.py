"""Dashboards that change their form: the old ones stay until a Grafana has the new, however long that takes."""

from t2i_operator.known.children import Id
from t2i_operator.kube.kinds import CONFIG_MAP, GRAFANA_DASHBOARD, Object

from tests.unit.operator.passes import KEY, Parts
from tests.unit.operator.resources import UNOBSERVED

OVERVIEW, MODELS = (Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-dashboard-{topic}") for topic in ("overview", "models"))
SELECTOR = {"instanceSelector": {"matchLabels": {"dashboards": "grafana"}}}


def dashboards(**wanted: object) -> Object:
    return {"monitoring": {**UNOBSERVED, "dashboards": wanted}}


def say(parts: Parts, kind: str, *config_maps: Id) -> None:
    for each in config_maps:
        status = {"conditions": [{"type": kind, "status": "True"}]}
        parts.say(each._replace(kind=GRAFANA_DASHBOARD), status)


async def test_each_goes_once_a_grafana_has_its_successor_and_not_before() -> None:
    parts = Parts(**dashboards(format="ConfigMap"))
    assert (await parts.look())["DashboardsReady"].holds
    parts.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    said = (await parts.look())["DashboardsReady"]
    assert (said.status, said.reason) == ("Unknown", "Pending")
    assert str(OVERVIEW) in said.message
    assert parts.outcome.deleted == []

    say(parts, "NoMatchingInstance", OVERVIEW, MODELS)
    assert (await parts.look())["DashboardsReady"].reason == "NotSelected"
    assert parts.outcome.deleted == []

    say(parts, "DashboardSynchronized", OVERVIEW)
    await parts.look()
    assert parts.outcome.deleted == [OVERVIEW]
    topics = [each for each in parts.outcome.objects if each.kind == CONFIG_MAP and "-dashboard-" in each.name]
    say(parts, "DashboardSynchronized", *topics)
    assert (await parts.look())["DashboardsReady"].reason == "InPlace"
    assert parts.outcome.deleted == topics
    written = len(parts.cluster.written)
    await parts.look()
    assert len(parts.cluster.written) == written, "and nothing is left to be done"


async def test_one_that_is_wanted_in_no_form_goes_at_once() -> None:
    traced = {"tracing": {"mode": "Managed"}}
    parts = Parts(monitoring={**dashboards(format="ConfigMap")["monitoring"], **traced})
    await parts.look()
    parts.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    await parts.look()
    assert MODELS._replace(name=f"{KEY.name}-dashboard-traces") in parts.outcome.deleted
    assert not {OVERVIEW, MODELS} & {*parts.outcome.deleted}
