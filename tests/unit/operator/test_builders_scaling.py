"""The autoscaler and the disruption budget, and what the Deployment says about replicas beside them."""

from typing import Any

import pytest
from t2i_operator.kube.kinds import AUTOSCALER, DEPLOYMENT, POD_DISRUPTION_BUDGET

from tests.unit.operator.resources import body, built

CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}


def test_without_autoscaling_the_deployment_says_how_many() -> None:
    assert built(AUTOSCALER, replicas=7) is None
    assert (body(DEPLOYMENT, replicas=7)["replicas"], body(DEPLOYMENT)["replicas"]) == (7, 1)


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    autoscaling = {"minReplicas": 2, "maxReplicas": 9}

    assert "replicas" not in body(DEPLOYMENT, autoscaling=autoscaling)
    assert body(AUTOSCALER, autoscaling=autoscaling) == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "pictures"},
        "minReplicas": 2,
        "maxReplicas": 9,
        "metrics": [CPU],
    }


def test_the_autoscaler_takes_metrics_and_behavior_as_they_are_written() -> None:
    metrics: Any = [
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "active_requests", "selector": {"matchLabels": {"tier": "a"}}},
                "target": {"type": "AverageValue", "averageValue": "500m"},
            },
        },
        {
            "type": "Object",
            "object": {
                "describedObject": {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "name": "main"},
                "metric": {"name": "requests"},
                "target": {"type": "Value", "value": 2000},
            },
        },
    ]
    behavior = {
        "scaleDown": {"stabilizationWindowSeconds": 0, "selectPolicy": "Disabled"},
        "scaleUp": {"policies": [{"type": "Percent", "value": 50, "periodSeconds": 60}]},
    }

    found = body(AUTOSCALER, autoscaling={"maxReplicas": 5, "metrics": metrics, "behavior": behavior})

    assert (found["metrics"], found["behavior"], found["minReplicas"]) == (metrics, behavior, 1)


def test_a_cpu_percentage_replaces_the_default() -> None:
    [metric] = body(AUTOSCALER, autoscaling={"maxReplicas": 5, "targetCPUUtilizationPercentage": 35})["metrics"]

    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 35}


@pytest.mark.parametrize(
    ("wanted", "live", "kept"),
    [
        ({}, 1, False),
        ({"replicas": 0}, 3, False),
        ({"replicas": 2}, 1, True),
        ({"replicas": 2, "podDisruptionBudget": {"mode": "Disabled"}}, 2, False),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 5}}, 0, True),
        ({"autoscaling": {"minReplicas": 1, "maxReplicas": 5}}, 1, False),
        ({"autoscaling": {"minReplicas": 1, "maxReplicas": 5}}, 2, True),
        ({"autoscaling": {"minReplicas": 1, "maxReplicas": 1}}, 4, False),
    ],
)
def test_a_budget_is_kept_while_there_is_more_than_one_replica(wanted: Any, live: int, kept: bool) -> None:
    assert (built(POD_DISRUPTION_BUDGET, live=live, **wanted) is not None) is kept


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "25%"}, {"maxUnavailable": "25%"}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
        ({"minAvailable": 2}, {"minAvailable": 2}),
        ({"minAvailable": 0}, {"minAvailable": 0}),
    ],
)
def test_a_budget_has_the_limit_that_is_given_or_lets_one_pod_go(given: Any, limit: Any) -> None:
    found = body(POD_DISRUPTION_BUDGET, replicas=3, podDisruptionBudget=given)

    assert {name: value for name, value in found.items() if name in ("minAvailable", "maxUnavailable")} == limit


def test_pods_that_crash_do_not_hold_up_a_drain() -> None:
    found = body(POD_DISRUPTION_BUDGET, replicas=3)

    assert found["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert found["selector"] == body(DEPLOYMENT)["selector"]
