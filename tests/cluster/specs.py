"""Valid specs of every shape that needs no pod: each block is left out, or set to something."""

from typing import Any

from hypothesis import strategies as st

Object = dict[str, Any]

_WORDS = st.sampled_from(["a", "b", "blue-green", "x.example.com", "0"])
_LABELS = st.dictionaries(_WORDS.map(lambda word: f"example.com/{word}"), _WORDS, max_size=2)
_SECONDS = st.integers(1, 300).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m30s", "500ms", "1h"])
_INTERVALS = st.integers(1, 75).map(lambda number: f"{number}s") | st.sampled_from(["1m", "1m15s", "500ms"])
_DECIMALS = st.sampled_from(["0", "0.5", "0.25", "1", "0.050"])
_PORTS = st.integers(1, 65535)
_HOSTS = st.sampled_from(["pictures.example.com", "a.b.example.org"])
_PEERS = st.lists(
    st.fixed_dictionaries({"namespaceSelector": st.fixed_dictionaries({"matchLabels": _LABELS})})
    | st.just({"ipBlock": {"cidr": "10.20.0.0/16", "except": ["10.20.1.0/24"]}}),
    max_size=2,
)


def _some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[Object]:
    """Each of the fields, or not."""
    return st.fixed_dictionaries({}, optional=optional)


def _model(name: str) -> st.SearchStrategy[Object]:
    return st.fixed_dictionaries(
        {"name": st.just(name), "provider": st.just("Sandbox")},
        optional={
            "weight": st.integers(1, 100),
            "timeoutSeconds": st.integers(1, 1800),
            "price": st.fixed_dictionaries({"perImage": _DECIMALS}, optional={"currency": st.just("EUR")}),
            "sandbox": _some(latency=_SECONDS, failureRate=_DECIMALS),
            "limits": _some(maxOutputs=st.integers(1, 4), maxSteps=st.integers(50, 100)),
        },
    )


_models = st.lists(st.sampled_from(["sdxl", "draft", "fast", "anime"]), min_size=1, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(*map(_model, names)).map(list)
)
_budgets = st.sampled_from([{"mode": "Disabled"}, {"mode": "Managed", "maxUnavailable": "30%"}]) | st.integers(
    1, 3
).map(lambda number: {"mode": "Managed", "minAvailable": number})
_containers = st.fixed_dictionaries(
    {"name": st.just("text-to-image")},
    optional={
        "env": st.lists(st.sampled_from("ABC"), max_size=2, unique=True).map(
            lambda names: [{"name": name, "value": "1"} for name in names]
        ),
        "resources": st.just({"requests": {"cpu": "1000m"}, "limits": {"memory": "1024Mi", "cpu": 2}}),
    },
)
_templates = _some(
    metadata=_some(labels=_LABELS, annotations=_LABELS),
    spec=_some(
        containers=st.lists(_containers, min_size=1, max_size=1),
        nodeSelector=_LABELS,
        tolerations=st.just([{"key": "gpu", "operator": "Exists"}]),
        priorityClassName=st.just(""),
        terminationGracePeriodSeconds=st.integers(4000, 5000),
    ),
)

SPECS = st.fixed_dictionaries(
    {
        "models": _models,
        "replicas": st.just(0),
        "monitoring": st.fixed_dictionaries(
            {"tracing": st.sampled_from([{"mode": "Disabled"}, {"mode": "External", "endpoint": "http://otel:4317"}])},
            optional={
                "metrics": _some(mode=st.sampled_from(["Managed", "Disabled"]), labels=_LABELS, interval=_INTERVALS),
                "alerts": _some(
                    mode=st.sampled_from(["Managed", "Disabled"]),
                    labels=_LABELS,
                    minimumRequests=st.integers(1, 50),
                    thresholds=_some(errorRate=st.sampled_from(["0.1", "0.25"])),
                ),
                "dashboards": _some(
                    mode=st.sampled_from(["Managed", "Disabled"]), folder=st.just("Pictures"), labels=_LABELS
                ),
                "langtrace": _some(mode=st.just("Disabled")),
            },
        ),
    },
    optional={
        "image": st.just("ghcr.io/text-to-image/service:other"),
        "imagePullPolicy": st.sampled_from(["Always", "Never"]),
        "service": _some(port=_PORTS, annotations=_LABELS, type=st.sampled_from(["ClusterIP", "NodePort"])),
        "ingress": st.fixed_dictionaries({"host": _HOSTS}, optional={"annotations": _LABELS}),
        "serviceAccount": _some(annotations=_LABELS),
        "podDisruptionBudget": _budgets,
        "networkPolicy": st.fixed_dictionaries(
            {"mode": st.sampled_from(["Managed", "Disabled"])}, optional={"ingressFrom": _PEERS}
        ),
        "podTemplate": _templates,
        "logging": _some(level=st.sampled_from(["DEBUG", "ERROR"]), promptCharacters=st.integers(0, 10000)),
        "admission": _some(maxInFlight=st.integers(1, 1000), maxQueued=st.integers(0, 1000)),
        "access": _some(requestsPerMinute=st.integers(1, 10000)),
        "publicURL": st.just("https://images.example.com"),
    },
)
