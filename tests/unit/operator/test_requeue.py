"""When a resource is looked at again: nothing that is waited for hides what is nearer."""

import math
import time
from typing import Any

import pytest
from t2i_operator.known.faults import CONFLICT
from t2i_operator.known.identity import Id
from t2i_operator.known.outcome import Outcome
from t2i_operator.known.pods import Trouble
from t2i_operator.kube.kinds import CONFIG_MAP, INGRESS
from t2i_operator.reconciling.requeue import requeue_after
from t2i_operator.settings import read

from tests.unit.operator.resources import resource

SETTINGS = read(["--service-image=service:1", "--resync-seconds=600"], {})
ROUTES = {"old_routes": [Id(INGRESS, "studio", "pictures")]}
ROLLOUT = {"awaits_rollout": "a Secret is deleted once no pod of the old template is left"}


@pytest.mark.parametrize("fault", [True, False], ids=["fault", "placed"])
@pytest.mark.parametrize(
    ("fields", "seconds"),
    [({}, 600), (ROLLOUT, 30), (ROUTES, 5), (ROLLOUT | ROUTES, 5), (ROLLOUT | ROUTES | {"waiting": "for a Pod"}, 2)],
    ids=["nothing", "rollout", "routes", "both", "waiting"],
)
def test_what_is_nearest_is_looked_at(fields: dict[str, Any], seconds: float, *, fault: bool) -> None:
    outcome = Outcome(generation=1, resource=resource(), **fields)
    if fault:
        outcome.fault(Id(CONFIG_MAP, "studio", "pictures-config"), CONFLICT, "it is somebody's")
    assert requeue_after(outcome, SETTINGS) == (min(seconds, 30) if fault else seconds)


@pytest.mark.parametrize("fields", [{}, ROLLOUT, ROUTES], ids=["nothing", "rollout", "routes"])
def test_what_is_said_of_a_pod_is_over_in_time(fields: dict[str, Any]) -> None:
    def after(seconds: float) -> float:
        trouble = Trouble(since="", reason="CrashLoopBackOff", message="", until=time.time() + seconds)
        return requeue_after(Outcome(generation=1, resource=resource(), trouble=trouble, **fields), SETTINGS)

    assert after(1) <= 1
    assert after(-1) == 0
    assert after(math.inf) >= 5
