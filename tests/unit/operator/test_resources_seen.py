"""The resources as last seen: which news counts, and what a status says that is ours."""

from t2i_operator.kinds import Object
from t2i_operator.naming import Key
from t2i_operator.resources import Resources

KEY = Key("n", "a")


def live(version: int, uid: str = "1") -> Object:
    metadata = {"name": "a", "namespace": "n", "uid": uid, "generation": 1, "resourceVersion": str(version)}
    return {"metadata": metadata, "spec": {"className": ""}}


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
