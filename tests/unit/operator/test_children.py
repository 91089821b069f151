"""The digests of children: what order events may come in, and whom they concern."""

from typing import Any
from unittest.mock import MagicMock

import aiohttp
import pytest
from t2i_operator.known import drift
from t2i_operator.known.children import Children
from t2i_operator.known.identity import Id
from t2i_operator.kube.cluster import Cluster
from t2i_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, GRAFANA_DASHBOARD
from t2i_operator.naming import Key
from t2i_operator.reconciling import unwatched

KEY = Key("n", "a")
ID = Id(CONFIG_MAP, "n", "a-config")
# Grafana's own words, in the Grafana operator's sentence.
PROVISIONED = (
    '- n/g: [POST /dashboards/db][400] postDashboardBadRequest {"message":"Cannot save provisioned dashboard"}'
)


def config_map(version: int, *, uid: str = "1", owner: str = "u", text: str = "x", theirs: str = "") -> dict[str, Any]:
    reference = {"kind": "TextToImageService", "name": "a", "uid": owner, "controller": True}
    ours = {"f:data": {"f:text": {}}, "f:metadata": {"f:ownerReferences": {f'k:{{"uid":"{owner}"}}': {}}}}
    return {
        "metadata": {
            "name": "a-config",
            "namespace": "n",
            "uid": uid,
            "resourceVersion": str(version),
            "labels": {"app.kubernetes.io/instance": "a"},
            "ownerReferences": [reference] if owner else [],
            "managedFields": [{"manager": "text-to-image-operator", "operation": "Apply", "fieldsV1": ours}],
        },
        "data": {"text": text, "theirs": theirs},
    }


def test_an_object_is_found_by_its_owner() -> None:
    children = Children()
    assert children.observe(CONFIG_MAP, config_map(1)) == {KEY}
    assert [identity for identity, _ in children.of(KEY, "u")] == [ID]
    assert list(children.of(KEY, "another")) == []


def test_an_older_event_does_not_undo_a_newer_answer() -> None:
    children = Children()
    child = children.applied(CONFIG_MAP, config_map(5, text="new"), b"wanted")
    assert children.observe(CONFIG_MAP, config_map(3, text="old")) == set()
    assert children.get(ID) == child
    assert children.forget(CONFIG_MAP, config_map(4)) == set()
    assert children.get(ID) == child


def test_the_event_of_our_own_write_is_not_even_digested(monkeypatch: pytest.MonkeyPatch) -> None:
    children = Children()
    children.applied(CONFIG_MAP, config_map(5), b"wanted")
    monkeypatch.setattr(drift, "observed", MagicMock(side_effect=AssertionError("it costs more than to look")))
    assert children.observe(CONFIG_MAP, config_map(5)) == set()


@pytest.mark.parametrize(
    ("status", "synced"),
    [
        ({}, None),
        ({"conditions": [{"type": "DashboardSynchronized", "status": "True"}]}, True),
        ({"conditions": [{"type": "DashboardSynchronized", "status": "False", "message": "- a: refused"}]}, None),
        ({"conditions": [{"type": "DashboardSynchronized", "status": "False", "message": PROVISIONED}]}, True),
        ({"conditions": [{"type": "NoMatchingInstance", "status": "True"}]}, False),
        ({"conditions": [{"type": "NoMatchingInstance", "status": "False"}]}, None),
        ({"NoMatchingInstances": True}, False),
        ({"NoMatchingInstances": False, "hash": "3a"}, True),
    ],
    ids=[
        "not judged",
        "synced",
        "refused",
        "held up by the ConfigMap's",
        "no Grafana",
        "found again",
        "an older operator's",
        "an older operator's, synced",
    ],
)
def test_whether_a_grafana_has_a_dashboard_is_news(status: dict[str, Any], *, synced: bool | None) -> None:
    children, before, after = Children(), config_map(5), {**config_map(6), "status": status}
    for live in (before, after):
        live["metadata"]["name"] = "a-dashboard-overview"
    children.observe(GRAFANA_DASHBOARD, before)
    told = children.observe(GRAFANA_DASHBOARD, after)
    ((_, child),) = children.of(KEY, "u")
    assert child.synced is synced
    assert told == (set() if synced is None else {KEY})


def test_an_event_that_changes_nothing_of_ours_concerns_nobody() -> None:
    children = Children()
    children.observe(CONFIG_MAP, config_map(1))
    assert children.observe(CONFIG_MAP, config_map(2, theirs="changed")) == set()
    assert children.observe(CONFIG_MAP, config_map(3, text="changed")) == {KEY}


def test_an_object_made_anew_is_another() -> None:
    children = Children()
    children.applied(CONFIG_MAP, config_map(1), b"wanted")
    assert children.observe(CONFIG_MAP, config_map(2, uid="2")) == {KEY}
    found = children.get(ID)
    assert found is not None
    assert found.last_applied is None


def test_what_our_own_apply_came_back_as_is_in_sync_until_something_changes() -> None:
    children = Children()
    assert children.applied(CONFIG_MAP, config_map(1, text="rewritten by a webhook"), b"wanted").in_sync(b"wanted")
    children.observe(CONFIG_MAP, config_map(2, text="rewritten by a webhook", theirs="x"))
    found = children.get(ID)
    assert found is not None
    assert found.in_sync(b"wanted")
    assert not found.in_sync(b"wanted otherwise")

    children.observe(CONFIG_MAP, config_map(3, text="changed"))
    found = children.get(ID)
    assert found is not None
    assert not found.in_sync(b"wanted")
    assert found.in_sync(drift.observed(config_map(3, text="changed")))


def test_an_object_without_its_owner_is_still_found_by_its_label() -> None:
    children = Children()
    children.observe(CONFIG_MAP, config_map(1))
    assert children.observe(CONFIG_MAP, config_map(2, owner="")) == {KEY}
    assert list(children.of(KEY, "u")) == []


def test_a_new_list_drops_what_went_but_not_what_was_made_since() -> None:
    children = Children()
    children.observe(CONFIG_MAP, config_map(5))
    assert children.retain(DEPLOYMENT, None, set(), 9) == set()
    assert children.retain(CONFIG_MAP, "another", set(), 9) == set()
    assert children.retain(CONFIG_MAP, None, set(), 4) == set()
    assert children.retain(CONFIG_MAP, None, {("n", "a-config")}, 9) == set()
    assert children.retain(CONFIG_MAP, None, set(), 9) == {KEY}
    assert children.get(ID) is None


def test_an_answer_that_comes_after_a_newer_event_does_not_undo_it() -> None:
    children = Children()
    children.observe(CONFIG_MAP, config_map(7, text="edited since"))
    assert children.applied(CONFIG_MAP, config_map(6, text="ours"), b"wanted").version == 6
    found = children.get(ID)
    assert found is not None
    assert found.version == 7
    assert not found.in_sync(b"wanted")

    children.observe(CONFIG_MAP, config_map(8, text="ours"))
    found = children.get(ID)
    assert found is not None
    assert found.in_sync(b"wanted"), "what our apply came back as is known all the same"


@pytest.mark.parametrize("known", [True, False], ids=["changed", "made"])
@pytest.mark.parametrize("listed", [True, False], ids=["listed", "watched"])
def test_an_answer_that_comes_after_the_deletion_brings_nothing_back(known: bool, listed: bool) -> None:
    children = Children()
    if known:
        children.observe(CONFIG_MAP, config_map(5))
    with children.awaiting(ID):
        if listed:
            children.retain(CONFIG_MAP, None, set(), 7)
        else:
            children.forget(CONFIG_MAP, config_map(7))
        children.applied(CONFIG_MAP, config_map(6), b"wanted")
        children.observe(CONFIG_MAP, config_map(6))
        assert children.get(ID) is None
        children.observe(CONFIG_MAP, config_map(8, uid="2"))
        assert children.get(ID) is not None
    children.forget(CONFIG_MAP, config_map(9, uid="2"))
    assert children.observe(CONFIG_MAP, config_map(6)) == {KEY}, "nothing is remembered of what nobody awaits"


def test_old_news_of_an_object_that_was_replaced_does_not_undo_the_new_one() -> None:
    children = Children()
    child = children.applied(CONFIG_MAP, config_map(8, uid="2"), b"wanted")
    assert children.observe(CONFIG_MAP, config_map(6, uid="1")) == set()
    assert children.get(ID) == child


def test_what_children_have_in_common_is_held_once() -> None:
    children = Children()
    for name in ("a-config", "a-jaeger-config"):
        live = config_map(1, owner="".join(("u", "v")))
        live["metadata"] |= {"name": name, "namespace": "".join(("n", "s"))}
        children.observe(CONFIG_MAP, live)
    (one, first), (other, second) = children.of(Key("ns", "a"), "uv")
    assert (first.key is second.key, first.owner is second.owner, one.namespace is other.namespace) == (True,) * 3
    wanted = {Id(*one): bytes(bytearray(first.fingerprint)), Id(*other): b"something else"}
    interned = children.interned(Key("ns", "a"), wanted)
    assert interned == wanted
    assert next(iter(interned)) is one
    assert interned[one] is first.fingerprint


async def test_what_goes_while_it_is_read_does_not_come_back() -> None:
    children, gone = Children(), Id(DEPLOYMENT, "studio", "pictures")
    metadata = {"name": gone.name, "namespace": gone.namespace, "uid": "d", "resourceVersion": "5"}
    owner = {"kind": "TextToImageService", "name": "pictures", "uid": "0f0f", "controller": True}
    live = {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": {"replicas": 1}}

    class Deleting(Cluster):
        async def get(self, *_: Any, **__: Any) -> Any:
            children.forget(DEPLOYMENT, {**live, "metadata": {**live["metadata"], "resourceVersion": "6"}})
            return live

    await unwatched.read(Deleting(MagicMock(spec=aiohttp.ClientSession)), children, gone, "0f0f")
    assert children.get(gone) is None
