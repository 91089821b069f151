"""Valid specs of every shape: each block is left out, or set to something. No pod of them ever runs."""

import operator

from hypothesis import strategies as st

from tests.cluster import spec_blocks as blocks
from tests.cluster.pods import PARKED
from tests.cluster.spec_blocks import Object


def _settled(spec: Object) -> Object:
    """Keep of what excludes each other the one; leave Replicate out where there is no token: that is never ready."""
    models = [each for each in spec["models"] if "credentials" in spec or each["provider"] != "Replicate"]
    without = "ingress" if "httpRoute" in spec else ""
    return {**{name: value for name, value in spec.items() if name != without}, "models": models}


def _parked(spec: Object) -> Object:
    """Have no scheduler take the pods, whatever else their template says."""
    template = spec.get("podTemplate", {})
    parked = {**template, "spec": {**template.get("spec", {}), **PARKED["podTemplate"]["spec"]}}
    return {**spec, "podTemplate": parked}


_WITHOUT_PODS = blocks.block(
    {
        "models": blocks.MODELS,
        "replicas": st.just(0),
        "monitoring": blocks.block(
            {"tracing": blocks.TRACING},
            optional={
                "metrics": blocks.some(
                    mode=st.sampled_from(["Managed", "Disabled"]), labels=blocks.LABELS, interval=blocks.INTERVALS
                ),
                "alerts": blocks.some(
                    mode=st.sampled_from(["Managed", "Disabled"]),
                    labels=blocks.LABELS,
                    minimumRequests=st.integers(1, 50),
                    thresholds=blocks.some(errorRate=st.sampled_from(["0.1", "0.25"])),
                    receivers=blocks.RECEIVERS,
                ),
                "dashboards": blocks.DASHBOARDS,
                "langtrace": blocks.some(mode=st.sampled_from(["Auto", "Disabled"])),
            },
        ),
    },
    optional={
        "credentials": blocks.CREDENTIALS,
        "image": st.just("ghcr.io/text-to-image/service:other"),
        "imagePullPolicy": st.sampled_from(["Always", "Never"]),
        "service": blocks.some(
            port=blocks.PORTS, annotations=blocks.LABELS, type=st.sampled_from(["ClusterIP", "NodePort"])
        ),
        "ingress": blocks.block({"host": blocks.HOSTS}, optional={"annotations": blocks.LABELS, "tls": blocks.TLS}),
        "httpRoute": blocks.ROUTES,
        "serviceAccount": blocks.some(annotations=blocks.LABELS),
        "podDisruptionBudget": blocks.BUDGETS,
        "networkPolicy": blocks.block(
            {"mode": st.sampled_from(["Managed", "Disabled"])},
            optional={"ingressFrom": blocks.PEERS, "egressTo": blocks.EGRESS},
        ),
        "podTemplate": blocks.TEMPLATES,
        "logging": blocks.some(level=st.sampled_from(["DEBUG", "ERROR"]), promptCharacters=st.integers(0, 10000)),
        "admission": blocks.some(maxInFlight=st.integers(1, 1000), maxQueued=st.integers(0, 1000)),
        "access": blocks.some(requestsPerMinute=st.integers(1, 10000)),
        "publicURL": st.just("https://images.example.com"),
    },
).map(_settled)
_WITH_PODS = st.builds(
    operator.or_,
    _WITHOUT_PODS,
    blocks.block({"replicas": st.sampled_from([3, 2, 1, 0])}, optional={"autoscaling": blocks.AUTOSCALERS}),
).map(_parked)
_paused = st.sampled_from([{"paused": True}, {}, {}])


def _edits(specs: st.SearchStrategy[Object]) -> st.SearchStrategy[list[Object]]:
    """One after the other; the last one is not paused, so that it says alone what there has to be."""
    earlier = st.lists(st.builds(operator.or_, specs, _paused), min_size=1, max_size=3)
    return st.builds(lambda last, before: [*before, last], specs, earlier)


_COMMON: Object = {"models": [{"name": "sdxl", "provider": "Sandbox"}], "replicas": 2}
# Between them, one of each pair that excludes each other: an edit from one to the other has all of that change over.
SCALED = _parked(
    {
        **_COMMON,
        "autoscaling": {"maxReplicas": 4, "behavior": {"scaleUp": {"stabilizationWindowSeconds": 60}}},
        "httpRoute": {"parentRefs": [{"name": blocks.GATEWAY}]},
        "monitoring": {
            "dashboards": blocks.FORMATS[0],
            "tracing": {"mode": "Managed", "jaeger": {**blocks.STORED, "format": "OpenTelemetryCollector"}},
        },
    }
)
FIXED = _parked(
    {
        **_COMMON,
        "ingress": {"host": "pictures.example.com"},
        "monitoring": {"tracing": {"mode": "Managed", "jaeger": blocks.STORED}},
    }
)

SPECS = _WITH_PODS | _WITHOUT_PODS
# With pods or without throughout: a template that a scheduler takes must not meet a number.
EDITS = _edits(_WITH_PODS) | _edits(_WITHOUT_PODS)
