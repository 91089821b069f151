"""Dashboards that change their form: the old ones stay until a Grafana has the new, however long that takes."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, GRAFANA_DASHBOARD, SERVICE, Object

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


async def switched(*, served: bool = True) -> Parts:
    """Return a resource whose dashboards stay, in the form that they had before."""
    parts = Parts(**dashboards(format="ConfigMap"))
    await parts.look()
    if not served:
        parts.cache.absences.note(GRAFANA_DASHBOARD, None, Absence.MISSING)
    parts.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    await parts.look()
    return parts


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


@pytest.mark.parametrize("served", [True, False], ids=["no Grafana", "no CRD"])
async def test_what_is_said_of_those_that_stay_does_not_depend_on_what_else_is_done(*, served: bool) -> None:
    parts, forbidden = await switched(served=served), ApiError(403, "Forbidden", "no right to get services")
    said, objects = (await parts.look())["DashboardsReady"], parts.outcome.objects
    assert {OVERVIEW, MODELS} < set(objects)
    edited = Id(SERVICE, KEY.namespace, f"{KEY.name}-service")
    live = parts.cluster.store(edited, {**parts.cluster.live[edited], "spec": {"type": "NodePort"}})
    parts.cache.children.observe(SERVICE, live)
    parts.cluster.refused[edited] = forbidden
    found = await parts.look(forbidden)
    assert found["Ready"].reason == "ApplyFailed", "so nothing may be taken away"
    assert (found["DashboardsReady"], parts.outcome.objects) == (said, objects)


@pytest.mark.parametrize("served", [True, False], ids=["no Grafana", "no CRD"])
async def test_nothing_is_built_anew_while_they_stay(*, served: bool) -> None:
    parts = await switched(served=served)
    parts.cluster.read.clear()
    await parts.look()
    assert parts.cluster.read == []

    live = parts.cluster.live.pop(OVERVIEW)
    parts.cache.children.drop(OVERVIEW)
    await parts.look()
    assert parts.cluster.read != [], "it went"
    parts.cluster.read.clear()
    await parts.look()
    assert parts.cluster.read == []

    parts.cache.children.observe(CONFIG_MAP, live)
    await parts.look()
    assert parts.cluster.read != [], "it is back"
