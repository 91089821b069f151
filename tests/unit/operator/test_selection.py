"""Who selects an object, by the rules of the Prometheus Operator; and what is said when nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from t2i_operator.known.outcome import Outcome, Verdict
from t2i_operator.kube.cluster import ApiError, Cluster
from t2i_operator.kube.kinds import (
    ALERTMANAGER,
    ALERTMANAGER_CONFIG,
    PROMETHEUS,
    PROMETHEUS_AGENT,
    PROMETHEUS_RULE,
    SERVICE_MONITOR,
    THANOS_RULER,
    Kind,
    Object,
)
from t2i_operator.kube.messages import Page
from t2i_operator.reconciling.selection import Selection
from t2i_operator.reconciling.selectors import Selecting, matches, verdict

from tests.unit.operator.resources import resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAIL = {"name": "mail", "email": {"to": "team@example.com"}}
RECEIVED = {"alerts": {"receivers": [MAIL]}}
OURS = {"app.kubernetes.io/name": "text-to-image", "release": "kps"}


def prometheus(**selectors: Any) -> Selecting:
    everything = {name: {} for name in ("serviceMonitorSelector", "serviceMonitorNamespaceSelector", "ruleSelector")}
    return Selecting(PROMETHEUS, "monitoring", "main", {**everything, "ruleNamespaceSelector": None, **selectors})


def alertmanager(objects: Object | None, namespaces: Object | None) -> Selecting:
    fields = {"alertmanagerConfigSelector": objects, "alertmanagerConfigNamespaceSelector": namespaces}
    return Selecting(ALERTMANAGER, "monitoring", "pager", fields)


@pytest.mark.parametrize(
    ("selector", "holds"),
    [
        ({}, True),
        ({"matchLabels": {"release": "kps"}}, True),
        ({"matchLabels": {"release": "other"}}, False),
        ({"matchExpressions": [{"key": "release", "operator": "In", "values": ["kps", "x"]}]}, True),
        ({"matchExpressions": [{"key": "release", "operator": "NotIn", "values": ["kps"]}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"release": "kps"}, "matchExpressions": [{"key": "team", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_match_as_kubernetes_has_it(selector: dict[str, Any], *, holds: bool) -> None:
    assert matches(selector, OURS) == holds


def test_one_that_selects_everything_is_enough() -> None:
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [prometheus(serviceMonitorSelector=None), prometheus()])
    assert (said.status, said.reason, said.message) == ("True", "Selected", "Prometheus monitoring/main selects it")


def test_of_several_the_one_without_a_remark_is_named() -> None:
    short = prometheus()._replace(name="short", remark="it keeps 24h")
    assert verdict(SERVICE_MONITOR, OURS, "studio", {}, [short]).message.endswith("short selects it; it keeps 24h")
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [short, prometheus()])
    assert said.message == "Prometheus monitoring/main selects it"


def test_the_label_that_would_change_it_is_named() -> None:
    asked = prometheus(serviceMonitorSelector={"matchLabels": {"release": "other"}})
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [asked])
    assert (said.status, said.reason) == ("False", "NotSelected")
    advice = "Prometheus monitoring/main selects only release=other: set spec.monitoring.metrics.labels to match"
    assert said.message == advice


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"matchLabels": {"app.kubernetes.io/name": "x"}}, "app.kubernetes.io/name=x"),
        (
            {"matchExpressions": [{"key": "app.kubernetes.io/name", "operator": "DoesNotExist"}]},
            "app.kubernetes.io/name DoesNotExist",
        ),
        (
            {"matchLabels": {"release": "other", "app.kubernetes.io/name": "x"}},
            "release=other and app.kubernetes.io/name=x",
        ),
    ],
)
def test_a_label_of_the_operator_s_own_is_not_the_spec_s_to_change(selector: Object, said: str) -> None:
    asked = prometheus(serviceMonitorSelector=selector)
    assert verdict(SERVICE_MONITOR, OURS, "studio", {}, [asked]).message == (
        f"Prometheus monitoring/main selects only {said}: spec.monitoring.metrics.labels cannot change the operator's"
        " own app.kubernetes.io/name=text-to-image; change its serviceMonitorSelector"
    )
    nearer = prometheus(serviceMonitorSelector={"matchLabels": {"release": "other"}})._replace(name="nearer")
    message = verdict(SERVICE_MONITOR, OURS, "studio", {}, [asked, nearer]).message
    assert message.startswith("Prometheus monitoring/nearer selects only release=other: set")


def test_no_namespace_selector_means_its_own_namespace_only() -> None:
    assert verdict(PROMETHEUS_RULE, OURS, "monitoring", {}, [prometheus()]).status == "True"
    elsewhere = verdict(PROMETHEUS_RULE, OURS, "studio", {}, [prometheus()])
    assert "does not look into this namespace (ruleNamespaceSelector: its own only)" in elsewhere.message


def test_a_namespace_is_chosen_by_its_labels() -> None:
    some = prometheus(serviceMonitorNamespaceSelector={"matchLabels": {"watched": "yes"}})
    assert verdict(SERVICE_MONITOR, OURS, "studio", {"watched": "yes"}, [some]).status == "True"
    assert "watched=yes" in verdict(SERVICE_MONITOR, OURS, "studio", {}, [some]).message


def foreign(count: int, **selectors: Any) -> list[Selecting]:
    own = prometheus(serviceMonitorNamespaceSelector=None, **selectors)
    return [own._replace(namespace=f"team-{number}") for number in range(count)]


def test_who_looks_into_the_namespace_is_named_and_of_the_others_only_their_number() -> None:
    asked = prometheus(serviceMonitorSelector={"matchLabels": {"release": "other"}})
    deaf = prometheus(serviceMonitorSelector=None)._replace(name="deaf")
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [*foreign(20), deaf, asked]).message
    assert said == (
        "Prometheus monitoring/main selects only release=other: set spec.monitoring.metrics.labels to match;"
        " Prometheus monitoring/deaf selects no ServiceMonitor at all; 20 others do not look into this namespace"
    )
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [*foreign(1), *[asked] * 5]).message
    assert said.endswith("to match; 2 others do not select it either; 1 other does not look into this namespace")


def test_where_nobody_looks_it_is_said_which_labels_of_the_namespace_would_change_it() -> None:
    some = prometheus(serviceMonitorNamespaceSelector={"matchLabels": {"watched": "yes"}})
    said = verdict(SERVICE_MONITOR, OURS, "studio", {}, [*foreign(20), some]).message
    advice = (
        "Prometheus monitoring/main does not look into this namespace (serviceMonitorNamespaceSelector: watched=yes)"
    )
    assert said.startswith(f"{advice}; Prometheus team-0/main does not look")
    assert said.count("team-") == 2
    assert said.endswith("; 18 others do not look into this namespace")


@pytest.mark.parametrize(
    ("one", "status", "said"),
    [
        (alertmanager({}, {}), "True", "Alertmanager monitoring/pager selects it"),
        (alertmanager(None, {}), "False", "Alertmanager monitoring/pager selects no AlertmanagerConfig at all"),
        (alertmanager({}, None), "False", "(alertmanagerConfigNamespaceSelector: its own only)"),
        (alertmanager({"matchLabels": {"team": "x"}}, {}), "False", "set spec.monitoring.alerts.labels to match"),
    ],
    ids=["everything", "nothing", "elsewhere", "other labels"],
)
def test_receivers_are_taken_in_by_an_alertmanager(one: Selecting, status: str, said: str) -> None:
    found = verdict(ALERTMANAGER_CONFIG, OURS, "studio", {}, [one])
    assert found.status == status
    assert found.message.endswith(said)


AGENT = Selecting(
    PROMETHEUS_AGENT, "monitoring", "far", {"serviceMonitorSelector": {}, "serviceMonitorNamespaceSelector": {}}
)
RULER = Selecting(THANOS_RULER, "monitoring", "long", {"ruleSelector": {}, "ruleNamespaceSelector": {}})


@pytest.mark.parametrize(
    ("kind", "one", "selector"),
    [(SERVICE_MONITOR, AGENT, "serviceMonitorSelector"), (PROMETHEUS_RULE, RULER, "ruleSelector")],
    ids=["PrometheusAgent", "ThanosRuler"],
)
def test_others_than_a_prometheus_select_too(kind: Kind, one: Selecting, selector: str) -> None:
    nothing = prometheus(**{selector: None})
    assert verdict(kind, OURS, "studio", {}, [nothing, one]) == Verdict("True", "Selected", f"{one} selects it")
    other = one._replace(spec={**one.spec, selector: {"matchLabels": {"release": "x"}}})
    assert f"{one} selects only release=x: set spec.monitoring." in verdict(kind, OURS, "studio", {}, [other]).message


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        (SERVICE_MONITOR, "Prometheus or PrometheusAgent"),
        (PROMETHEUS_RULE, "Prometheus or ThanosRuler"),
        (ALERTMANAGER_CONFIG, "Alertmanager"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_nobody_at_all(kind: Kind, who: str) -> None:
    said = verdict(kind, OURS, "studio", {}, [])
    assert said[:2] == ("False", "NotSelected")
    assert f"no {who} object" in said.message


async def outcome_of(selection: Selection, monitoring: Object) -> Outcome:
    outcome = Outcome(generation=1)
    await selection.judge(resource(monitoring=monitoring), outcome)
    return outcome


async def judged(selection: Selection, monitoring: Object) -> dict[Kind, Verdict]:
    return (await outcome_of(selection, monitoring)).selected


class Refusing(Cluster):
    """Lists nothing of some kinds, and of others that there are none."""

    status = 404
    refused: tuple[Kind, ...] = (PROMETHEUS, PROMETHEUS_AGENT, THANOS_RULER, ALERTMANAGER)

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        if kind in self.refused:
            raise ApiError(self.status, "", "no")
        yield Page({}, [])


@pytest.mark.parametrize(("status", "said"), [(404, ("False", "NotSelected")), (403, ("Unknown", "NotVisible"))])
async def test_a_cluster_without_the_kind_has_none_that_selects(status: int, said: tuple[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Refusing(session)
        cluster.status = status
        found = await judged(Selection(cluster), RECEIVED)
    assert found.keys() == {SERVICE_MONITOR, PROMETHEUS_RULE, ALERTMANAGER_CONFIG}
    assert {verdict[:2] for verdict in found.values()} == {said}


async def test_who_may_not_see_alertmanagers_still_sees_prometheuses() -> None:
    """As with the role of an older release."""
    async with aiohttp.ClientSession() as session:
        cluster = Refusing(session)
        cluster.status, cluster.refused = 403, (ALERTMANAGER,)
        found = await judged(Selection(cluster), RECEIVED)
    assert {kind: verdict.reason for kind, verdict in found.items()} == {
        SERVICE_MONITOR: "NotSelected",
        PROMETHEUS_RULE: "NotSelected",
        ALERTMANAGER_CONFIG: "NotVisible",
    }


async def test_without_receivers_no_alertmanager_is_asked_for() -> None:
    async with aiohttp.ClientSession() as session:
        found = await judged(Selection(Refusing(session)), {})
    assert found.keys() == {SERVICE_MONITOR, PROMETHEUS_RULE}


class Telling(Cluster):
    """Has one Prometheus, or one of the kinds `served`, that a test may change, and counts what it is asked."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.selector: dict[str, Any] = {}
        self.namespace_selector: dict[str, Any] = {}
        self.labels: dict[str, str] = {}
        self.retention = ""
        self.error: ApiError | None = None
        self.unread: ApiError | None = None
        self.served: tuple[Kind, ...] = (PROMETHEUS, ALERTMANAGER)
        self.others = 404
        self.lists = self.gets = 0

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        self.lists += 1
        if self.error:
            raise self.error
        if kind not in self.served:
            raise ApiError(self.others, "", "no")
        wanted = {"serviceMonitorSelector": self.selector, "serviceMonitorNamespaceSelector": self.namespace_selector}
        if kind == ALERTMANAGER:
            wanted = {"alertmanagerConfigSelector": self.selector, "alertmanagerConfigNamespaceSelector": {}}
        body: Object = {
            "metadata": {"namespace": "monitoring", "name": "main"},
            "spec": {**wanted, "ruleSelector": {}, "ruleNamespaceSelector": {}},
        }
        if self.retention:
            body["spec"]["retention"] = self.retention
        yield Page({}, [msgspec.Raw(msgspec.json.encode(body))])

    async def get(self, kind: Kind, namespace: str, name: str, *, metadata_only: bool = False) -> Object | None:
        self.gets += 1
        if self.unread:
            raise self.unread
        return {"metadata": {"labels": self.labels}}


METRICS = {"alerts": {"mode": "Disabled"}}


BOTH = [(PROMETHEUS_AGENT, SERVICE_MONITOR), (THANOS_RULER, PROMETHEUS_RULE), (PROMETHEUS, SERVICE_MONITOR)]


@pytest.mark.parametrize("others", [404, 403, 500])
@pytest.mark.parametrize(("served", "selected"), BOTH, ids=lambda kind: kind.name)
async def test_one_kind_that_selects_is_enough(served: Kind, selected: Kind, others: int) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.served, cluster.others = (served,), others
        outcome = await outcome_of(Selection(cluster), {})
    assert outcome.selected[selected][:2] == ("True", "Selected")
    assert outcome.selected[selected].message.startswith(f"{served.name} monitoring/main selects it")


@pytest.mark.parametrize(
    ("others", "said"), [(404, ("False", "NotSelected")), (403, ("Unknown", "NotVisible"))], ids=["none", "not visible"]
)
async def test_what_may_not_be_seen_could_select(others: int, said: tuple[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.selector, cluster.others = {"matchLabels": {"release": "kps"}}, others
        found = (await judged(Selection(cluster), METRICS))[SERVICE_MONITOR]
    assert found[:2] == said
    assert "selects only release=kps: set spec.monitoring.metrics.labels to match" in found.message
    assert ("whether any PrometheusAgent selects it cannot be seen: no" in found.message) is (others == 403)


async def status(selection: Selection) -> str:
    return (await judged(selection, METRICS))[SERVICE_MONITOR].status


async def test_a_prometheus_that_no_longer_selects_is_found_at_the_next_look() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        assert await selection.changed({"studio"}) == set()
        assert cluster.lists == 0, "nobody has asked"
        assert await status(selection) == "True"
        assert await selection.changed({"studio", "other"}) == set()

        cluster.selector = {"matchLabels": {"release": "kps"}}
        assert await status(selection) == "True", "judged by what was read lately"
        assert await selection.changed({"studio", "other"}) == {"studio", "other"}
        assert await status(selection) == "False"
        assert await selection.changed({"studio"}) == set()
        assert cluster.lists == 8, "one list of each kind a look, and none for what all resources share"


async def test_an_alertmanager_that_no_longer_selects_is_found_at_the_next_look() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        assert (await judged(selection, RECEIVED))[ALERTMANAGER_CONFIG].status == "True"
        assert await selection.changed({"studio"}) == set()
        cluster.selector = {"matchLabels": {"team": "x"}}
        assert await selection.changed({"studio"}) == {"studio"}
        assert (await judged(selection, RECEIVED))[ALERTMANAGER_CONFIG].status == "False"


async def test_a_prometheus_that_keeps_too_little_is_still_ready_and_it_is_said() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        found = await judged(selection, {})
        assert found[PROMETHEUS_RULE][:2] == ("True", "Selected")
        assert "it keeps 24h" in found[PROMETHEUS_RULE].message
        assert "keeps" not in found[SERVICE_MONITOR].message

        cluster.retention = "35d"
        assert await selection.changed({"studio"}) == {"studio"}
        assert "keeps" not in (await judged(selection, {}))[PROMETHEUS_RULE].message


async def test_what_the_cluster_does_not_serve_is_asked_for_once_for_all_resources() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        for _ in range(3):
            assert await status(selection) == "True"
    assert cluster.lists == 2


async def test_what_one_resource_has_learnt_is_still_news_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        await status(selection)
        cluster.selector = {"matchLabels": {"release": "kps"}}
        monkeypatch.setattr("t2i_operator.reconciling.selection._MAX_AGE_SECONDS", 0.0)
        assert await status(selection) == "False"
        assert await selection.changed({"studio"}) == {"studio"}


async def test_a_namespace_whose_labels_change_is_found() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.namespace_selector, cluster.labels = {"matchLabels": {"watched": "yes"}}, {"watched": "yes"}
        selection = Selection(cluster)
        assert await status(selection) == "True"
        cluster.labels = {}
        assert await selection.changed({"studio", "other"}) == {"studio"}
        assert await status(selection) == "False"
        asked = cluster.gets
        assert await selection.changed({"other"}) == set()
        assert cluster.gets == asked, "nobody is left there"


async def test_a_proxy_that_knows_no_namespace_takes_no_labels_away() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.namespace_selector, cluster.labels = {"matchLabels": {"watched": "yes"}}, {"watched": "yes"}
        selection = Selection(cluster)
        assert await status(selection) == "True"
        cluster.unread = ApiError(404, "Unknown", "404 page not found")
        assert await selection.changed({"studio"}) == set()
        assert await status(selection) == "True"


async def test_of_many_namespaces_each_has_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("t2i_operator.reconciling.selection._NAMESPACES_A_LOOK", 2)
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        selection._told = {name: {} for name in "abcde"}
        cluster.labels = {"watched": "yes"}
        looks = [await selection.changed(set("abcde")) for _ in range(4)]
    assert looks == [{"a", "b"}, {"c", "d"}, {"e"}, set()]


async def test_rights_that_go_or_come_are_news_and_trouble_is_not() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        selection = Selection(cluster)
        assert await status(selection) == "True"
        cluster.error = ApiError(500, "", "etcdserver: leader changed")
        assert await selection.changed({"studio"}) == set()
        assert await status(selection) == "True"
        cluster.error = ApiError(403, "", "no")
        assert await selection.changed({"studio"}) == {"studio"}
        assert await status(selection) == "Unknown"
        assert await selection.changed({"studio"}) == set()
        cluster.error = None
        assert await selection.changed({"studio"}) == {"studio"}
        assert await status(selection) == "True"


async def test_trouble_before_anything_is_known_is_no_verdict() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.error = ApiError(503, "", "starting")
        outcome = await outcome_of(Selection(cluster), METRICS)
    assert outcome.selected[SERVICE_MONITOR][:2] == ("Unknown", "NotVisible")
    assert [each.condition for each in outcome.failures] == ["MetricsReady"]


async def test_trouble_with_alertmanagers_takes_no_verdict_on_prometheuses_away() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Refusing(session)
        cluster.status, cluster.refused = 500, (ALERTMANAGER,)
        outcome = await outcome_of(Selection(cluster), RECEIVED)
    assert {kind: verdict.reason for kind, verdict in outcome.selected.items()} == {
        SERVICE_MONITOR: "NotSelected",
        PROMETHEUS_RULE: "NotSelected",
        ALERTMANAGER_CONFIG: "NotVisible",
    }
    assert [each.condition for each in outcome.failures] == ["AlertsReady"]


class Confining(Telling):
    """Lists nothing of the whole cluster, and one Prometheus in those namespaces that may be looked into."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__(session)
        self.open: set[str | None] = {"studio"}
        self.broken: set[str | None] = set()
        self.asked: list[str | None] = []

    async def pages(self, kind: Kind, namespace: str | None, selector: str) -> AsyncIterator[Page]:
        self.asked.append(namespace)
        if namespace in self.broken:
            raise ApiError(504, "Timeout", f"no answer from {namespace}")
        if namespace not in self.open:
            raise ApiError(403, "Forbidden", f"no right in {namespace}")
        async for page in super().pages(kind, namespace, selector):
            yield page


@pytest.mark.parametrize(
    ("wanted", "said"),
    [({}, ("True", "Selected")), ({"matchLabels": {"release": "kps"}}, ("Unknown", "NotVisible"))],
    ids=["one there selects", "none there does"],
)
async def test_a_confined_operator_sees_who_selects_in_its_own_namespaces(
    wanted: dict[str, Any], said: tuple[str, str]
) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Confining(session)
        cluster.selector = wanted
        found = (await judged(Selection(cluster, ("other", "studio")), METRICS))[SERVICE_MONITOR]
    assert found[:2] == said
    if wanted:
        assert found.message == (
            "whether any Prometheus selects it cannot be seen: no right in None;"
            " Prometheus monitoring/main selects only release=kps: set spec.monitoring.metrics.labels to match"
        )


@pytest.mark.parametrize("order", [("broken", "studio"), ("studio", "broken")], ids=["first", "last"])
async def test_a_namespace_in_trouble_takes_nothing_away_from_what_others_show(order: tuple[str, ...]) -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Confining(session)
        cluster.broken = {"broken"}
        assert await status(Selection(cluster, order)) == "True"
        cluster.selector = {"matchLabels": {"release": "kps"}}
        outcome = await outcome_of(Selection(cluster, order), METRICS)
    assert outcome.selected[SERVICE_MONITOR][:2] == ("Unknown", "NotVisible"), "the one in trouble may have another"
    assert [each.condition for each in outcome.failures] == ["MetricsReady"]


async def test_trouble_in_the_only_namespace_that_selects_is_no_news() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Confining(session)
        selection = Selection(cluster, ("other", "studio"))
        assert await status(selection) == "True"
        cluster.broken = {"studio"}
        assert await selection.changed({"studio"}) == set()
        selection._known = {key: (0.0, known) for key, (_, known) in selection._known.items()}
        assert await status(selection) == "True"
        cluster.broken, cluster.selector = set(), {"matchLabels": {"release": "kps"}}
        assert await selection.changed({"studio"}) == {"studio"}
        assert await status(selection) == "Unknown"


async def test_a_confined_operator_that_is_let_look_everywhere_does_so() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Confining(session)
        cluster.open, cluster.selector = {None, "studio"}, {"matchLabels": {"release": "kps"}}
        selection = Selection(cluster, ("studio",))
        assert await status(selection) == "False"
        assert set(cluster.asked) == {None}
        cluster.open = {"studio"}
        assert await selection.changed({"studio"}) == {"studio"}, "what it may not see any more may select"
        assert await status(selection) == "Unknown"
        assert await selection.changed({"studio"}) == set()


async def test_of_namespaces_that_are_gone_nothing_is_kept() -> None:
    async with aiohttp.ClientSession() as session:
        cluster = Telling(session)
        cluster.namespace_selector, cluster.labels = {"matchLabels": {"watched": "yes"}}, {"watched": "yes"}
        selection = Selection(cluster)
        await status(selection)
        assert "studio" in selection._known
        await selection.changed(set())
    assert "studio" not in selection._known.keys() | selection._told.keys()
