"""The resources as last seen: which news counts, and what a status says that is ours."""

import pytest
from t2i_operator.known.resources import Resources
from t2i_operator.kube.kinds import Object
from t2i_operator.naming import Key

KEY = Key("n", "a")


def live(version: int, uid: str = "1", *, generation: int = 1, **marks: str) -> Object:
    metadata = {"name": "a", "namespace": "n", "uid": uid, "generation": generation, "resourceVersion": str(version)}
    return {"metadata": {**metadata, **marks}, "spec": {"className": ""}}


def test_dropping_a_resource_that_was_replaced_keeps_the_new_one() -> None:
    resources = Resources()
    resources.observe(live(1, "old"))
    resources.observe(live(3, "new"))
    resources.drop(KEY, "old")
    found = resources.get(KEY)
    assert found is not None
    assert found.uid == "new"

    resources.drop(KEY, "new")
    assert resources.get(KEY) is None


def test_what_others_say_in_the_status_is_not_looked_at() -> None:
    def said(version: int, theirs: str) -> Object:
        ours = {"f:status": {"f:endpoint": {}, "f:conditions": {'k:{"type":"Ready"}': {"f:type": {}, "f:status": {}}}}}
        entry = {"manager": "text-to-image-operator", "subresource": "status", "fieldsV1": ours}
        conditions = [{"type": theirs, "status": "True"}, {"type": "Ready", "status": "True", "message": theirs}]
        found = live(version)
        found["metadata"]["managedFields"] = [entry]
        return {**found, "status": {"endpoint": "e", "conditions": conditions}}

    resources = Resources()
    resources.observe(said(1, "Theirs"))
    seen = resources.get(KEY)
    assert seen is not None
    assert seen.status_object() == {"endpoint": "e", "conditions": [{"type": "Ready", "status": "True"}]}
    assert not resources.observe(said(2, "Another"))


@pytest.mark.parametrize(
    "edited",
    [live(3, generation=2), live(3, deletionTimestamp="2026-01-01T00:00:00Z"), live(3, "2")],
    ids=["edited", "deleted", "replaced"],
)
def test_what_the_answer_to_our_own_write_tells_beside_it_is_still_news(edited: Object) -> None:
    resources = Resources()
    resources.observe(live(1))
    resources.answered(edited)
    assert resources.observe(edited)


def test_our_own_write_is_no_news() -> None:
    resources = Resources()
    resources.observe(live(1))
    resources.answered(live(2))
    assert not resources.observe(live(2))


def test_an_answer_that_comes_late_undoes_nothing() -> None:
    resources = Resources()
    resources.observe(live(3))
    resources.answered(live(2))
    found = resources.get(KEY)
    assert found is not None
    assert found.version == 3

    resources.forget(live(3))
    resources.answered(live(2))
    assert resources.get(KEY) is None


def test_old_news_of_a_resource_that_was_replaced_does_not_hide_the_new_one() -> None:
    resources = Resources()
    assert resources.observe(live(3, "new"))
    assert not resources.observe(live(2, "old"))
    resources.forget(live(4, "old"))
    found = resources.get(KEY)
    assert found is not None
    assert found.uid == "new"
