"""The Prometheus Operator's own CRDs read what is built for them, and give back what was asked: no drift, no writes."""

import pytest
from t2i_operator.kube.kinds import ALERTMANAGER_CONFIG, PROMETHEUS_RULE, SERVICE_MONITOR, Kind

from tests.api import Api
from tests.cluster.goldens import all_taken_without_drift


@pytest.mark.parametrize("kind", [SERVICE_MONITOR, PROMETHEUS_RULE, ALERTMANAGER_CONFIG], ids=lambda kind: kind.name)
@pytest.mark.usefixtures("prometheus_operator_crds")
def test_the_api_server_takes_it_and_no_drift_is_seen(kind: Kind, api: Api, namespace: str) -> None:
    all_taken_without_drift(api, namespace, kind)
