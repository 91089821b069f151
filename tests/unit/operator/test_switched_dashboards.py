"""Dashboards that change their form: the old ones stay until a Grafana has the new, however long that takes."""

import pytest
from t2i_operator.known.identity import Id
from t2i_operator.kube.absences import Absence
from t2i_operator.kube.cluster import ApiError
from t2i_operator.kube.kinds import CONFIG_MAP, GRAFANA_DASHBOARD, SERVICE, Object

from tests.unit.operator.harness import KEY, Harness
from tests.unit.operator.resources import UNOBSERVED

OVERVIEW, MODELS = (Id(CONFIG_MAP, KEY.namespace, f"{KEY.name}-dashboard-{topic}") for topic in ("overview", "models"))
SELECTOR = {"instanceSelector": {"matchLabels": {"dashboards": "grafana"}}}


def dashboards(**wanted: object) -> Object:
    return {"monitoring": {**UNOBSERVED, "dashboards": wanted}}


def say(harness: Harness, kind: str, *config_maps: Id) -> None:
    for each in config_maps:
        status = {"conditions": [{"type": kind, "status": "True"}]}
        harness.say(each._replace(kind=GRAFANA_DASHBOARD), status)


async def switched(*, served: bool = True) -> Harness:
    """Return a resource whose dashboards stay, in the form that they had before."""
    harness = Harness(**dashboards(format="ConfigMap"))
    await harness.look()
    if not served:
        harness.cache.absences.note(GRAFANA_DASHBOARD, None, Absence.MISSING)
    harness.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    await harness.look()
    return harness


async def test_each_goes_once_a_grafana_has_its_successor_and_not_before() -> None:
    harness = Harness(**dashboards(format="ConfigMap"))
    assert (await harness.look())["DashboardsReady"].holds
    harness.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    said = (await harness.look())["DashboardsReady"]
    assert (said.status, said.reason) == ("Unknown", "Pending")
    assert str(OVERVIEW) in said.message
    assert harness.outcome.deleted == []

    say(harness, "NoMatchingInstance", OVERVIEW, MODELS)
    assert (await harness.look())["DashboardsReady"].reason == "NotSelected"
    assert harness.outcome.deleted == []

    say(harness, "DashboardSynchronized", OVERVIEW)
    await harness.look()
    assert harness.outcome.deleted == [OVERVIEW]
    topics = [each for each in harness.outcome.objects if each.kind == CONFIG_MAP and "-dashboard-" in each.name]
    say(harness, "DashboardSynchronized", *topics)
    assert (await harness.look())["DashboardsReady"].reason == "InPlace"
    assert harness.outcome.deleted == topics
    written = len(harness.cluster.written)
    await harness.look()
    assert len(harness.cluster.written) == written, "and nothing is left to be done"


async def test_one_that_no_grafana_has_is_no_more_in_place_where_nothing_was_switched() -> None:
    harness = Harness(**dashboards(format="GrafanaDashboard", **SELECTOR))
    said = (await harness.look())["DashboardsReady"]
    assert (said.status, said.reason) == ("Unknown", "Pending")
    assert "its status says why" in said.message
    made = [each for each in harness.outcome.objects if each.kind == GRAFANA_DASHBOARD]
    say(harness, "DashboardSynchronized", *made[1:])
    assert (await harness.look())["DashboardsReady"] == said
    say(harness, "DashboardSynchronized", *made)
    assert (await harness.look())["DashboardsReady"].reason == "InPlace"

    harness.say(made[0], {"conditions": [{"type": "DashboardSynchronized", "status": "False", "message": "refused"}]})
    assert (await harness.look())["DashboardsReady"] == said


async def test_one_that_is_wanted_in_no_form_goes_at_once() -> None:
    traced = {"tracing": {"mode": "Managed"}}
    harness = Harness(monitoring={**dashboards(format="ConfigMap")["monitoring"], **traced})
    await harness.look()
    harness.edit(**dashboards(format="GrafanaDashboard", **SELECTOR))
    await harness.look()
    assert MODELS._replace(name=f"{KEY.name}-dashboard-traces") in harness.outcome.deleted
    assert not {OVERVIEW, MODELS} & {*harness.outcome.deleted}


@pytest.mark.parametrize("served", [True, False], ids=["no Grafana", "no CRD"])
async def test_what_is_said_of_those_that_stay_does_not_depend_on_what_else_is_done(*, served: bool) -> None:
    harness, forbidden = await switched(served=served), ApiError(403, "Forbidden", "no right to get services")
    said, objects = (await harness.look())["DashboardsReady"], harness.outcome.objects
    assert {OVERVIEW, MODELS} < set(objects)
    edited = Id(SERVICE, KEY.namespace, f"{KEY.name}-service")
    live = harness.cluster.store(edited, {**harness.cluster.live[edited], "spec": {"type": "NodePort"}})
    harness.cache.children.observe(SERVICE, live)
    harness.cluster.refused[edited] = forbidden
    found = await harness.look(forbidden)
    assert found["Ready"].reason == "ApplyFailed", "so nothing may be taken away"
    assert (found["DashboardsReady"], harness.outcome.objects) == (said, objects)


@pytest.mark.parametrize("served", [True, False], ids=["no Grafana", "no CRD"])
async def test_nothing_is_built_anew_while_they_stay(*, served: bool) -> None:
    harness = await switched(served=served)
    harness.cluster.read.clear()
    await harness.look()
    assert harness.cluster.read == []

    live = harness.cluster.live.pop(OVERVIEW)
    harness.cache.children.drop(OVERVIEW)
    await harness.look()
    assert harness.cluster.read != [], "it went"
    harness.cluster.read.clear()
    await harness.look()
    assert harness.cluster.read == []

    harness.cache.children.observe(CONFIG_MAP, live)
    await harness.look()
    assert harness.cluster.read != [], "it is back"
