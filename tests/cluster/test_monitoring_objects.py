"""The Prometheus Operator's own CRDs read what is built for them, and give back what was asked: no drift, no writes."""

import pytest
from t2i_operator import drift
from t2i_operator.differences import differences
from t2i_operator.kinds import ALERTMANAGER_CONFIG, PROMETHEUS_RULE, SERVICE_MONITOR, Kind
from t2i_operator.objects import identify

from tests.cluster.api import Api
from tests.golden.builds import HERE, build

FULL = HERE / "observed-in-full.input.yaml"


@pytest.mark.parametrize("kind", [SERVICE_MONITOR, PROMETHEUS_RULE, ALERTMANAGER_CONFIG], ids=lambda kind: kind.name)
@pytest.mark.usefixtures("prometheus_operator_crds")
def test_the_api_server_takes_it_and_no_drift_is_seen(kind: Kind, api: Api, namespace: str) -> None:
    apply = {"fieldManager": "text-to-image-operator", "force": "true", "dryRun": "All"}
    wanted = [each for each in build(FULL) if identify(each).kind == kind]
    assert wanted
    for desired in wanted:
        name = desired["metadata"]["name"]
        desired["metadata"]["namespace"] = namespace
        live = api.request("PATCH", kind.path(namespace, name), desired, "application/apply-patch+yaml", **apply)

        assert drift.observed(live) == drift.expected(desired), differences(desired, live)
