"""What is to be put back of an object, by its managedFields alone."""

import pytest
from t2i_operator.known import drift
from t2i_operator.kube.kinds import Object
from t2i_operator.reconciling.finding import find, named

from tests.unit.operator.drifted import DESIRED, MAIN, fields, live

REPLICAS, IMAGE = "spec.replicas", "spec.template.spec.containers[main].image"
EXPECTED = drift.expected(DESIRED)


def meddled() -> Object:
    """Return what another has scaled, and whose image it has set to what is wanted by now."""
    changed = live()
    ours = fields(changed)["f:spec"]
    del ours["f:replicas"], ours["f:template"]["f:spec"]["f:containers"][MAIN]["f:image"]
    image = {"f:template": {"f:spec": {"f:containers": {MAIN: {"f:image": {}}}}}}
    fields(changed, 0)["f:spec"] = {"f:replicas": {}, **image}
    changed["spec"]["replicas"] = 3
    return changed


def test_what_agrees_by_now_is_taken_over_and_not_put_back() -> None:
    found = find(DESIRED, EXPECTED, meddled(), {})
    assert [each.field for each in found.changed] == [REPLICAS, IMAGE]
    assert named(found.put_back) == f"{REPLICAS} (kubectl)"
    assert (found.desired, found.expected, found.contested) == (DESIRED, EXPECTED, [])


@pytest.mark.parametrize(("given_up", "left"), [(REPLICAS, IMAGE), (IMAGE, REPLICAS)], ids=["replicas", "image"])
def test_what_is_contested_is_wanted_no_more(given_up: str, left: str) -> None:
    found = find(DESIRED, EXPECTED, meddled(), {given_up, "spec.of.another"})
    assert ([each.field for each in found.contested], [each.field for each in found.changed]) == ([given_up], [left])
    assert found.expected == drift.expected(found.desired) != EXPECTED
    assert ("replicas" in found.desired["spec"]) is (given_up != REPLICAS)


def test_of_an_object_that_we_never_wrote_nobody_has_changed_anything() -> None:
    theirs = meddled()
    del theirs["metadata"]["managedFields"][1]
    assert find(DESIRED, EXPECTED, theirs, {REPLICAS}) == (DESIRED, EXPECTED, [], [])
