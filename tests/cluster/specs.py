"""Valid specs of every shape: each block is left out, or set to something. No pod of them ever runs."""

import operator
import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.cluster import spec_blocks as blocks
from tests.cluster import spec_monitoring as monitoring
from tests.cluster.pods import parked
from tests.cluster.spec_blocks import Object

# `make draw-operator` sets how many times as many examples are to be drawn.
TIMES = int(os.environ.get("DRAWS", "0"))


def drawn(examples: int) -> settings:
    """Draw the same in every run of the suite, so that what fails is what was changed; when asked for more, others.

    Each example takes long on a real API server, and to shrink one would take longer than a test may.
    """
    return settings(
        max_examples=(TIMES or 1) * examples,
        derandomize=not TIMES,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )


def _settled(spec: Object) -> Object:
    """Keep of what excludes each other the one; leave out what others lack.

    Replicate needs a token, or is never ready; a budget needs a price in its currency.
    """
    models = [each for each in spec["models"] if "credentials" in spec or each["provider"] != "Replicate"]
    without = "ingress" if "httpRoute" in spec else ""
    alerts = spec["monitoring"].get("alerts", {})
    currency = alerts.get("budget", {}).get("currency", "USD")
    if all(each.get("price", {"currency": ""}).get("currency", "USD") != currency for each in models):
        alerts = {name: value for name, value in alerts.items() if name != "budget"}
    observed = {**spec["monitoring"], "alerts": alerts}
    kept = {name: value for name, value in spec.items() if name != without}
    return {**kept, "models": models, "monitoring": observed}


_WITHOUT_PODS = blocks.block(
    {
        "models": blocks.MODELS,
        "replicas": st.just(0),
        "monitoring": blocks.block(
            {"tracing": monitoring.TRACING},
            optional={
                "metrics": monitoring.METRICS,
                "alerts": monitoring.ALERTS,
                "dashboards": monitoring.DASHBOARDS,
                "langtrace": monitoring.LANGTRACE,
            },
        ),
    },
    optional={
        "credentials": blocks.CREDENTIALS,
        "image": st.just("ghcr.io/text-to-image/service:other"),
        "imagePullPolicy": st.sampled_from(["Always", "Never"]),
        "service": blocks.SERVICES,
        "ingress": blocks.INGRESSES,
        "httpRoute": blocks.ROUTES,
        "serviceAccount": blocks.some(annotations=blocks.LABELS),
        "podDisruptionBudget": blocks.BUDGETS,
        "networkPolicy": blocks.block(
            {"mode": st.sampled_from(["Managed", "Disabled"])},
            optional={"ingressFrom": blocks.PEERS, "egressTo": blocks.EGRESS},
        ),
        "podTemplate": blocks.TEMPLATES,
        "logging": blocks.some(level=st.sampled_from(["DEBUG", "ERROR"]), promptCharacters=st.integers(0, 10000)),
        "admission": blocks.ADMISSION,
        "access": blocks.ACCESS,
        "publicURL": st.just("https://images.example.com"),
    },
).map(_settled)
_WITH_PODS = st.builds(
    operator.or_,
    _WITHOUT_PODS,
    blocks.block({"replicas": st.sampled_from([3, 2, 1, 0])}, optional={"autoscaling": blocks.AUTOSCALERS}),
).map(parked)
_paused = st.sampled_from([{"paused": True}, {}, {}])


def _edits(specs: st.SearchStrategy[Object]) -> st.SearchStrategy[list[Object]]:
    """One after the other; the last one is not paused, so that it says alone what there has to be."""
    earlier = st.lists(st.builds(operator.or_, specs, _paused), min_size=1, max_size=3)
    return st.builds(lambda last, before: [*before, last], specs, earlier)


_COMMON: Object = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "replicas": 2}
# Between them, one of each pair that excludes each other: an edit from one to the other has all of that change over.
SCALED = parked(
    {
        **_COMMON,
        "autoscaling": {"maxReplicas": 4, "behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}},
        "httpRoute": {"parentRefs": [{"name": blocks.GATEWAY}]},
        "monitoring": {
            "dashboards": monitoring.FORMATS[0],
            "tracing": {"mode": "Managed", "jaeger": {**monitoring.STORED, "format": "OpenTelemetryCollector"}},
        },
    }
)
FIXED = parked(
    {
        **_COMMON,
        "ingress": {"host": "pictures.example.com"},
        "monitoring": {"tracing": {"mode": "Managed", "jaeger": monitoring.STORED}},
    }
)

SPECS = _WITH_PODS | _WITHOUT_PODS
# All of them parked: a template that a scheduler takes must not meet a number.
EDITS = _edits(SPECS.map(parked))
