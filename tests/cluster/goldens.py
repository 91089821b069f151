"""What the API server says to the objects that are built: it takes them, and gives back what was asked for."""

from t2i_operator.known import drift
from t2i_operator.known.identity import identify
from t2i_operator.kube.kinds import Kind, Object
from t2i_operator.reconciling.differences import differences

from tests.api import Api
from tests.golden.builds import INPUTS, build


def taken_without_drift(api: Api, namespace: str, desired: Object) -> None:
    """Have it applied by a dry run, and compare the answer as the operator would."""
    kind, _, name = identify(desired)
    desired["metadata"]["namespace"] = namespace
    live = api.apply(kind.path(namespace, name), desired, manager="text-to-image-operator", force="true", dryRun="All")

    assert drift.observed(live) == drift.expected(desired), f"{kind.name} {name}: {differences(desired, live)}"


def all_taken_without_drift(api: Api, namespace: str, kind: Kind) -> None:
    """Have all objects of a kind applied, of whatever golden pair they are; there has to be one."""
    wanted = [each for source in INPUTS for each in build(source) if identify(each).kind == kind]
    assert wanted, f"no golden pair has a {kind.name}"
    for desired in wanted:
        taken_without_drift(api, namespace, desired)
