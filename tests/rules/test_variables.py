"""A service's dashboard stays its own while the service has no series, by Prometheus' own evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from t2i_operator import naming, spec
from t2i_operator.builders.monitoring.dashboard import content

from tests.e2e.boards import filled_variables

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "golden.yaml"
# One of the same namespace, which has gone while the dashboard's time was shown, and one that runs elsewhere.
OTHERS = {
    't2i_build_info{namespace="text-to-image",service="other-service",pod="a"}': "1x60 stale",
    't2i_build_info{namespace="elsewhere",service="another-service",pod="b"}': "1x80",
}
SAMPLES = {
    "namespace": [{"namespace": "elsewhere"}, {"namespace": "text-to-image"}],
    "service": [{"service": "other-service"}, {"service": "text-to-image-service"}],
    "jaeger": [{"service": "text-to-image-service"}],
}


@pytest.mark.parametrize("topic", naming.TOPICS)
def test_a_service_without_series_stays_chosen_among_others(promtool: Callable[..., None], topic: str) -> None:
    """What is chosen and not offered Grafana lets go of, and shows another service under this one's title."""
    asked = filled_variables(content(spec.parse(yaml.safe_load(GOLDEN.read_text())), topic), shown="30m")
    assert {"namespace", "service"} <= {variable.name for variable in asked}
    promtool(_asking({variable.expr: SAMPLES[variable.name] for variable in asked}))
    assert [each for each in asked if each.chosen not in each.offered(SAMPLES[each.name])] == []


def test_another_namespace_does_not_offer_this_service(promtool: Callable[..., None]) -> None:
    """It would stay chosen there, and every panel be empty."""
    text = content(spec.parse(yaml.safe_load(GOLDEN.read_text())), "overview")
    (asked,) = (each for each in filled_variables(text, namespace="elsewhere") if each.name == "service")
    samples: list[dict[str, str]] = [{}, {"service": "another-service"}]
    promtool(_asking({asked.expr: samples}))
    assert asked.offered(samples) == {"another-service"}


def _asking(samples: dict[str, list[dict[str, str]]]) -> dict[str, object]:
    """Return a test of what these queries give while only the others have series."""
    played = [{"series": name, "values": values} for name, values in OTHERS.items()]
    checks = [
        {"expr": expr, "eval_time": "70m", "exp_samples": [_sample(each) for each in expected]}
        for expr, expected in samples.items()
    ]
    return {"tests": [{"interval": "1m", "input_series": played, "promql_expr_test": checks}]}


def _sample(labels: dict[str, str]) -> dict[str, object]:
    written = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return {"labels": f"{{{written}}}", "value": 1}
